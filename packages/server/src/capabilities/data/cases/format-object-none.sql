-- read
select to_json(r) from (select t0."id" as "id" from "public"."films" t0 where t0."id" = $1) r;
-- $1 "99"
