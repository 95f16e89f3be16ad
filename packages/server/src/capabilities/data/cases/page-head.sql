-- slow
select null::text, count(*), case when count(*) < 1000 then count(*) else (select count(*) from "public"."films" t0) end, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from (select t0."id" as "id" from "public"."films" t0 limit 1000) r;
