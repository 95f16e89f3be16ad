-- read
select to_json(r) from (select t0."name" as "name", coalesce(e1.v, '[]') as "people" from "public"."people" t0 left join lateral (select json_agg(x1) as v from (select t1."name" as "name" from "public"."people" t1 where t0."id" = t1."parent_id" limit 1000) x1) e1 on true where t0."id" = $1) r;
-- $1 "1"
