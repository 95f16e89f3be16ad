-- slow
select coalesce(json_agg(r), '[]'), count(*), case when count(*) < 1000 and (count(*) > 0 or $1::bigint = 0) then $1::bigint + count(*) else (select count(*) from "public"."films" t0) end, null::text, null::text from (select t0.* from "public"."films" t0 limit 1000 offset $1::bigint) r;
-- $1 "100"
