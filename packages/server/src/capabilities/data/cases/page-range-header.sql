-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, null::text, null::text from (select t0."id" as "id" from "public"."films" t0 order by t0."id" limit $1::bigint offset $2::bigint) r;
-- $1 "2"
-- $2 "1"
