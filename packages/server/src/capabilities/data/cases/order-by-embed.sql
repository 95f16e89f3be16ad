-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."title" as "title", e1.v as "directors" from "public"."films" t0 left join lateral (select (select row_to_json(x1) from (select t1."name" as "name") x1) as v, t1."name" as o0 from "public"."directors" t1 where t0."director_id" = t1."id") e1 on true order by e1.o0, t0."id" limit $1::bigint) r;
-- $1 "2"
