-- read
select to_json(r) from (select t0."title" as "title", coalesce(e1.v, '[]') as "sequels" from "public"."films" t0 left join lateral (select json_agg(x1) as v from (select t1."title" as "title" from "public"."sequels"(t0) t1 limit 1000) x1) e1 on true where t0."id" = $1) r;
-- $1 "1"
