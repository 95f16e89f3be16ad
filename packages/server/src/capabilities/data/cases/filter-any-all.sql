-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."id" as "id" from "public"."films" t0 where t0."title" like any ($1) and t0."year" > all ($2) order by t0."id" limit 1000) r;
-- $1 "{A%,H%}"
-- $2 "{1900,1950}"
