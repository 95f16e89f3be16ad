-- write
with w as (insert into "public"."items" as t0 ("slug") select b."slug" from json_to_recordset($1::json) b("slug" text) on conflict ("slug") do nothing returning 1) select null::text, count(*), null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from w;
-- $1 "[{\"slug\":\"a\"}]"
