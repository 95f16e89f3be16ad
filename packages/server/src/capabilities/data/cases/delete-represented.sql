-- write
with w as (delete from "public"."odd" as t0 where t0."id" > $1 returning t0."id") select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."id" as "id" from w t0 order by t0."id" desc) r;
-- $1 "9"
