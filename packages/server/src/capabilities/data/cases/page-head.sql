-- slow
select null::text, count(*), case when count(*) < 1000 then count(*) else (select count(*) from "public"."films" t0) end, null::text, null::text from (select t0."id" as "id" from "public"."films" t0 limit 1000) r;
