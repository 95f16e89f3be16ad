-- write
with w as (delete from "public"."films" as t0 where t0."id" < $1 returning 1) select case when (select count(*) from w) <= 1 then (null::text)::text else mainstay.reject('PGRST124', 'Query result exceeds max-affected preference constraint', 'The query affects ' || (select count(*) from w) || ' rows', null) end, count(*), null::bigint, null::text, null::text from w;
-- $1 "3"
