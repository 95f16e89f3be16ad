-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."id" as "id" from "public"."films" t0 where (t0."data"->>'lang') = $1 and (t0."data"->'a'->'b') = $2 limit 1000) r;
-- $1 "en"
-- $2 "1"
