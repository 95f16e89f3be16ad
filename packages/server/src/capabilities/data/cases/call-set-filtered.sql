-- slow
with f as materialized (select t0.*, t0 as "mainstay row" from "public"."items_over"("min" := $1::numeric) t0) select coalesce(json_agg(r), '[]'), count(*), case when count(*) < coalesce($2::bigint, 9223372036854775807) then count(*) else (select count(*) from f t0 where t0."slug" <> $3) end, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from (select t0."slug" as "slug" from f t0 where t0."slug" <> $3 order by t0."slug" limit $2::bigint) r;
-- $1 "0"
-- $2 "1"
-- $3 "x"
