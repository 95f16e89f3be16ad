-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."title" as "title", e1.v as "directors" from "public"."films" t0 left join lateral (select row_to_json(x1) as v from (select t1."name" as "name" from "public"."directors" t1 where t0."director_id" = t1."id") x1) e1 on true order by t0."id" limit 1000) r;
