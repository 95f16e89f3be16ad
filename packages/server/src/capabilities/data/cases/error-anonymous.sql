-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0.* from "public"."films" t0 limit 1000) r;
