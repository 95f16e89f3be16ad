-- slow
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."director_id" as "director_id", count(*) as "count", max(t0."year") as "max" from "public"."films" t0 group by 1 order by t0."director_id" limit 1000) r;
