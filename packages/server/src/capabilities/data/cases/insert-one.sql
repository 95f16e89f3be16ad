-- write
insert into "public"."items" as t0 ("slug", "price") values ($1, $2);
-- $1 "a"
-- $2 "1.5"
