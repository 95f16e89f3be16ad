-- write
with w as (insert into "public"."items" as t0 ("slug", "price") values ($1, $2) returning 1) select null::text, count(*), null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from w;
-- $1 "a"
-- $2 "1.5"
