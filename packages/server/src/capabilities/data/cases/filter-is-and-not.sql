-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."id" as "id" from "public"."films" t0 where not (t0."director_id" is null) and t0."data" is null order by t0."id" limit 1000) r;
