import { expect, test } from "vitest";
import { sqlStateOf } from "./sql-state.ts";

test("a SQLSTATE is told from the codes of other errors", () => {
  expect(sqlStateOf(Object.assign(new Error("taken"), { code: "23505" }))).toBe("23505");
  expect(sqlStateOf(Object.assign(new Error("busy"), { code: "55P03" }))).toBe("55P03");
  for (const code of ["ECONNRESET", "auth/conflict", 23505, undefined]) expect(sqlStateOf({ code })).toBeNull();
  for (const other of [null, undefined, "23505", new Error("none")]) expect(sqlStateOf(other)).toBeNull();
});
