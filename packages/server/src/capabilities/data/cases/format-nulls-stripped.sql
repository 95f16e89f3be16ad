-- read
select json_strip_nulls(to_json(r)) from (select t0."id" as "id", t0."data" as "data" from "public"."films" t0 where t0."id" = $1) r;
-- $1 "3"
