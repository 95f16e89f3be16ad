-- write
with w as (insert into "public"."items" as t0 ("slug", "name") select b."slug", case when (e -> 'name') is null then 'unnamed'::text else b."name" end from json_array_elements($1::json) e, lateral json_to_record(e) b("slug" text, "name" text) returning t0."slug", t0."name") select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."slug" as "slug", t0."name" as "name" from w t0) r;
-- $1 "[{\"slug\":\"a\",\"name\":\"n\"},{\"slug\":\"b\"}]"
