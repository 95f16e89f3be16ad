-- read
select 'id,text
' || coalesce(string_agg(replace(substr(r::text, 2, length(r::text) - 2), E'\\\\', E'\\'), E'\n'), ''), count(*), null::bigint, null::text, null::text from (select t0."id" as "id", t0."text" as "text" from "public"."odd" t0 order by t0."id" limit 1000) r;
