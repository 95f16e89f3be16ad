-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."id" as "id", e1.v as "directors" from "public"."films" t0 join lateral (select row_to_json(x1) as v from (select t1."name" as "name" from "public"."directors" t1 where t0."director_id" = t1."id" and t1."name" = $1) x1) e1 on true limit 1000) r;
-- $1 "Mann"
