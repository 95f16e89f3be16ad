-- slow
select coalesce(json_agg(r), '[]'), count(*), case when count(*) < 1000 and (count(*) > 0 or $1::bigint = 0) then $1::bigint + count(*) else (select count(*) from "public"."films" t0) end, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from (select t0.* from "public"."films" t0 limit 1000 offset $1::bigint) r;
-- $1 "100"
