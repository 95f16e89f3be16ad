-- write
with w as (insert into "public"."items" as t0 ("slug") select b."slug" from json_to_recordset($1::json) b("slug" text) returning t0."id", t0."slug") select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."id" as "id", t0."slug" as "slug" from w t0) r;
-- $1 "[{\"slug\":\"a\"},{\"slug\":\"b\"}]"
