-- read
select to_json(r) from (select t0."title" as "title", e1.c1 as "director_name" from "public"."films" t0 left join lateral (select t1."name" as "c1", true as v from "public"."directors" t1 where t0."director_id" = t1."id") e1 on true where t0."id" = $1) r;
-- $1 "1"
