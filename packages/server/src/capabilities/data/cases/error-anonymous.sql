-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from (select t0.* from "public"."films" t0 limit 1000) r;
