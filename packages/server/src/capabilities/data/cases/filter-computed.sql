-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."id" as "id" from "public"."films" t0 where "public"."shout"(t0) = $1 limit 1000) r;
-- $1 "HEAT!"
