-- write
with w as (insert into "public"."parts" as t0 ("id", "name") values ($1, $2) returning t0."name", t0."item_id") select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."name" as "name", e1.v as "items" from w t0 left join lateral (select row_to_json(x1) as v from (select t1."slug" as "slug" from "public"."items" t1 where t0."item_id" = t1."id") x1) e1 on true) r;
-- $1 "1"
-- $2 "p"
