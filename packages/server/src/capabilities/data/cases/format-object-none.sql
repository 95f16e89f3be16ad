-- read
select coalesce(string_agg(to_json(r)::text, ','), 'null'), count(*), null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from (select t0."id" as "id" from "public"."films" t0 where t0."id" = $1 limit 1000) r;
-- $1 "99"
