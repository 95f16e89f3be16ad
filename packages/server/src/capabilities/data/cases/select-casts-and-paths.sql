-- read
select to_json(r) from (select cast(t0."year" as "text") as "y", (t0."data"->'a'->'b') as "b", cast((t0."data"->>'lang') as "text") as "x" from "public"."films" t0 where t0."id" = $1) r;
-- $1 "1"
