-- write
insert into "public"."items" as t0 ("slug") select b."slug" from json_to_recordset($1::json) b("slug" text) on conflict ("slug") do nothing;
-- $1 "[{\"slug\":\"a\"}]"
