-- slow
select coalesce(string_agg(to_json(r.v)::text, ','), 'null'), count(*), null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from (select t0.v from "public"."total"(variadic "v" := $1::integer[]) t0(v)) r;
-- $1 "{\"1\",\"2\"}"
