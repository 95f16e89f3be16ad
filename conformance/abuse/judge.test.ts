import { beforeAll, describe, expect, test } from "vitest";
import { openJudge } from "./judge.ts";

let judge: (statement: string) => string | null;
beforeAll(async () => {
  judge = await openJudge(["public"]);
});

/** A judge that lets anything pass would make the generated requests prove nothing. */
describe("the judge of statements", () => {
  test.each([
    [
      `select coalesce(json_agg(r), '[]'), count(*) from (select t0."id" from "public"."films" t0 where t0."id" = $1 limit $2::bigint) r`,
    ],
    [`select json_agg(r) from (select (t0."details"->'it''s'->>0) as "x' or 1=1" from "public"."films" t0) r`],
    [`with w as (insert into "public"."letters" as t0 ("id") values ($1) returning "id") select count(*) from w`],
    [`select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)`],
    ["set transaction isolation level serializable"],
    ["set constraints all immediate"],
    ["rollback"],
  ])("knows %s", (statement) => {
    expect(judge(statement)).toBeNull();
  });

  test.each([
    ["two statements", "select 1; drop table films"],
    ["another kind of statement", "copy public.films to program 'x'"],
    ["a comment that swallows the rest", `select t0."id" from "public"."films" t0 where t0."id" = '1' --' and false`],
    ["a text of the caller's", `select t0."id" from "public"."films" t0 where t0."title" = 'x'`],
    ["a condition that is always true", `select t0."id" from "public"."films" t0 where t0."id" = $1 or '1' = '1'`],
    ["another schema", `select t0."id" from "vault"."canary_gold" t0`],
    ["a table without a schema", `select t0."id" from films t0`],
    [
      "a union",
      `select t0."id" from "public"."films" t0 union select t0."rolpassword" from "pg_catalog"."pg_authid" t0`,
    ],
    ["a function of PostgreSQL's", "select pg_sleep($1)"],
    ["the same by its schema", "select pg_catalog.pg_sleep($1)"],
    [
      "a function deep inside",
      `select count(*) from (select case when version() is null then $1 end from "public"."films" t0) r`,
    ],
    ["a column of somebody else", `select "pg_authid"."rolname" from "public"."films" t0`],
    ["a setting that is not ours", "select set_config('session_authorization', $1, true)"],
    ["an operator that is not the dialect's", `select t0."id" from "public"."films" t0 where t0."id" ## $1`],
    ["a cast that asks the catalogue", `select cast(t0."title" as regclass) from "public"."films" t0`],
    ["a lock", `select t0."id" from "public"."films" t0 for update`],
    ["the name of whoever is asking", "select current_user"],
  ])("refuses %s", (_what, statement) => {
    expect(judge(statement)).not.toBeNull();
  });
});
