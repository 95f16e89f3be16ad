-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."name" as "name", coalesce(e1.v, '[]') as "films" from "public"."directors" t0 left join lateral (select json_agg(x1) as v from (select t1."title" as "title" from "public"."films" t1 where t0."id" = t1."director_id" and (t1."title" = $1 or t1."title" = $2) limit 1000) x1) e1 on true order by t0."id" limit 1000) r;
-- $1 "Heat"
-- $2 "Alien"
