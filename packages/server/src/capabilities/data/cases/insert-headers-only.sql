-- write
with w as (insert into "public"."pairs" as t0 ("a", "b") values ($1, $2) returning "a", "b") select json_agg(json_build_array(w."a"::text, w."b"::text)) -> 0, count(*), null::bigint, null::text, null::text from w;
-- $1 "1"
-- $2 "2"
