-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."name" as "name", coalesce(e1.v, '[]') as "films" from "public"."directors" t0 join lateral (select json_agg(x1) as v from (select t1."title" as "title" from "public"."films" t1 where t0."id" = t1."director_id" and t1."year" > $1 limit 1000) x1) e1 on e1.v is not null limit 1000) r;
-- $1 "1990"
