-- read
select coalesce(json_agg(r), '[]'), count(*), case when count(*) < coalesce($1::bigint, 9223372036854775807) then count(*) else (select count(*) from (select 1 from "public"."films" t0 limit 1001) c) end, null::text, null::text from (select t0."id" as "id" from "public"."films" t0 order by t0."id" limit $1::bigint) r;
-- $1 "1"
