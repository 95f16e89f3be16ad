-- slow
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select e1.c1 as "name", sum(t0."year") as "sum" from "public"."films" t0 left join lateral (select t1."name" as "c1", true as v from "public"."directors" t1 where t0."director_id" = t1."id") e1 on true where t0."director_id" = $1 group by 1 limit 1000) r;
-- $1 "1"
