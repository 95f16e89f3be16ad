-- slow
select null::text, count(*), null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from (select t0.v from "public"."nothing_at_all"() t0(v)) r;
