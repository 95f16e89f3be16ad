-- read
select to_json(r) from (select t0."name" as "name", coalesce(e1.c1, '[]') as "titles", coalesce(e1.c2, '[]') as "years" from "public"."directors" t0 left join lateral (select nullif(count(*), 0) as v, json_agg(x1.c1) as c1, json_agg(x1.c2) as c2 from (select t1."title" as "c1", t1."year" as "c2" from "public"."films" t1 where t0."id" = t1."director_id" order by t1."id" limit 1000) x1) e1 on true where t0."id" = $1) r;
-- $1 "1"
