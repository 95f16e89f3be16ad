-- write
with w as (insert into "public"."pairs" as t0 ("a", "b", "note") select b."a", b."b", b."note" from json_to_record($1::json) b("a" integer, "b" integer, "note" text) where b."a" = $2 and b."b" = $3 on conflict ("a", "b") do update set "a" = excluded."a", "b" = excluded."b", "note" = excluded."note" where set_config('mainstay.updated', (coalesce(nullif(current_setting('mainstay.updated', true), ''), '0')::bigint + 1)::text, true) is not null returning t0."a", t0."b", t0."note") select case when (select count(*) from w) = 1 then (coalesce(json_agg(r), '[]'))::text else mainstay.reject('PGRST115', 'Payload values do not match URL in primary key column(s)', null, null) end, count(*), null::bigint, null::text, null::text, (select count(*) from w) - coalesce(nullif(current_setting('mainstay.updated', true), ''), '0')::bigint from (select t0.* from w t0) r;
-- $1 "{\"a\":1,\"b\":2,\"note\":\"x\"}"
-- $2 "1"
-- $3 "2"
