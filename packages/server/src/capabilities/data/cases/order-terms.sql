-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from (select t0."id" as "id" from "public"."films" t0 order by t0."director_id" desc nulls last, t0."id" asc limit 1000) r;
