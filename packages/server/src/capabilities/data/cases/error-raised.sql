-- slow
select null::text, count(*), null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from (select t0.v from "public"."raise_full"() t0(v)) r;
