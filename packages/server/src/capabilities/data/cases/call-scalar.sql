-- slow
select coalesce(string_agg(to_json(r.v)::text, ','), 'null'), count(*), null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from (select t0.v from "public"."add"("a" := $1::integer, "b" := $2::integer) t0(v)) r;
-- $1 "1"
-- $2 "2"
