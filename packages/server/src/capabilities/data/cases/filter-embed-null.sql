-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."name" as "name" from "public"."directors" t0 left join lateral (select nullif(count(*), 0) as v from (select 1 from "public"."films" t1 where t0."id" = t1."director_id" limit 1000) x1) e1 on true where e1.v is null limit 1000) r;
