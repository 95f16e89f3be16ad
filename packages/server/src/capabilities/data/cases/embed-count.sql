-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."name" as "name", coalesce(e1.v, '[]') as "films" from "public"."directors" t0 left join lateral (select json_agg(x1) as v from (select count(t1) as "count" from "public"."films" t1 where t0."id" = t1."director_id" limit 1000) x1) e1 on true order by t0."id" limit 1000) r;
