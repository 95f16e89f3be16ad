-- read
select to_json(r) from (select t0."name" as "name", e1.v as "parent_id" from "public"."people" t0 left join lateral (select row_to_json(x1) as v from (select t1."name" as "name" from "public"."people" t1 where t0."parent_id" = t1."id") x1) e1 on true where t0."id" = $1) r;
-- $1 "2"
