-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."id" as "id" from "public"."films" t0 order by t0."director_id" desc nulls last, t0."id" asc limit 1000) r;
