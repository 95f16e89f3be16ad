-- write
with w as (update "public"."films" as t0 set "title" = $1 returning t0."id") select case when count(*) = 1 then (coalesce(string_agg(to_json(r)::text, ','), 'null'))::text else mainstay.reject('PGRST116', 'Cannot coerce the result to a single JSON object', 'The result contains ' || count(*) || ' rows', null) end, count(*), null::bigint, null::text, null::text from (select t0."id" as "id" from w t0) r;
-- $1 "X"
