-- read
select to_json(r) from (select t0."name" as "name", coalesce(e1.v, '[]') as "films" from "public"."directors" t0 left join lateral (select json_agg(x1) as v from (select t1."title" as "title", coalesce(e2.v, '[]') as "actors" from "public"."films" t1 left join lateral (select json_agg(x2) as v from (select t2."name" as "name" from "public"."actors" t2, "public"."roles" j2 where t1."id" = j2."film_id" and j2."actor_id" = t2."id" order by t2."id" limit 1000) x2) e2 on true where t0."id" = t1."director_id" order by t1."id" limit 1000) x1) e1 on true where t0."id" = $1) r;
-- $1 "1"
