-- read
select to_json(r) from (select t0."title" as "title", coalesce(e1.v, '[]') as "actors" from "public"."films" t0 left join lateral (select json_agg(x1) as v from (select t1."name" as "name" from "public"."actors" t1, "public"."roles" j1 where t0."id" = j1."film_id" and j1."actor_id" = t1."id" order by t1."id" limit 1000) x1) e1 on true where t0."id" = $1) r;
-- $1 "1"
