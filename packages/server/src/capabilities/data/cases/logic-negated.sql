-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."id" as "id" from "public"."films" t0 where not ((t0."id" = $1 or t0."id" = $2)) order by t0."id" limit 1000) r;
-- $1 "1"
-- $2 "2"
