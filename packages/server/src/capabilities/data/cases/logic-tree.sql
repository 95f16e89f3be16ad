-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."id" as "id" from "public"."films" t0 where (t0."id" = $1 or (t0."year" > $2 and not (t0."title" = any ($3)))) order by t0."id" limit 1000) r;
-- $1 "1"
-- $2 "1990"
-- $3 "{\"X\",\"y,z\"}"
