-- write
select null::text, count(*), null::bigint, null::text, null::text from (select 1 where false) r;
