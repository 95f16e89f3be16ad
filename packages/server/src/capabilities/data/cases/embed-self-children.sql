-- read
select coalesce(json_agg(r), '[]'), count(*), null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from (select t0."name" as "name", coalesce(e1.v, '[]') as "people" from "public"."people" t0 left join lateral (select json_agg(x1) as v from (select t1."name" as "name" from "public"."people" t1 where t0."id" = t1."parent_id" limit 1000) x1) e1 on true where t0."id" = $1 limit 1000) r;
-- $1 "1"
