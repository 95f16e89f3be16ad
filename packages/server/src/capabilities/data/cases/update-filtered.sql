-- write
with w as (update "public"."films" as t0 set "title" = $1 where t0."id" = $2 returning t0."id", t0."title") select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."id" as "id", t0."title" as "title" from w t0) r;
-- $1 "Aliens"
-- $2 "99"
