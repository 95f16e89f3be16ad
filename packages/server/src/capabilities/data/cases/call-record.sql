-- slow
select coalesce(string_agg(to_json(r.v)::text, ','), 'null'), count(*), null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from (select t0.v from json_to_record($1::json) a("doc" jsonb, "list" integer[]), lateral "public"."take"("doc" := a."doc", "list" := a."list") t0(v)) r;
-- $1 "{\"doc\":{\"a\":1},\"list\":[1,2]}"
