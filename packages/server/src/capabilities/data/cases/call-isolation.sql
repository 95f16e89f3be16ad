-- slow
set transaction isolation level serializable;
select coalesce(string_agg(to_json(r.v)::text, ','), 'null'), count(*), null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from (select t0.v from "public"."serial"() t0(v)) r;
