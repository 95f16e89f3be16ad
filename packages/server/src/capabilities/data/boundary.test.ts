import { describe, expect, it } from "vitest";
import { Problem } from "../../kernel/problem.ts";
import { DatabaseError } from "../../platform/postgres/session/types.ts";
import { dataBoundary, databaseProblem } from "./boundary.ts";
import { alice, anon } from "./testing/data.ts";

const failure = (sqlstate: string, message = "no", more: { detail?: string; hint?: string } = {}) =>
  new DatabaseError({ sqlstate, severity: "ERROR", message, ...more });
const problemOf = (error: unknown, who = alice) => databaseProblem(error, who) as Problem;
const render = (problem: Problem, method: "GET" | "HEAD" = "GET") =>
  dataBoundary.render(problem, { method, headers: {}, id: "1" });

describe("SQLSTATE to status", () => {
  it.each([
    ["08006", 503],
    ["09000", 500],
    ["0L000", 403],
    ["0P000", 403],
    ["21000", 500],
    ["22023", 400],
    ["22P02", 400],
    ["23502", 400],
    ["23503", 409],
    ["23505", 409],
    ["23514", 400],
    ["25006", 405],
    ["25001", 500],
    ["28000", 403],
    ["2D000", 500],
    ["38000", 500],
    ["39000", 500],
    ["3B000", 500],
    ["40001", 500],
    ["42501", 403],
    ["42601", 400],
    ["42703", 400],
    ["42883", 404],
    ["42P01", 404],
    ["42P17", 500],
    ["53400", 500],
    ["53300", 503],
    ["54000", 500],
    ["55000", 500],
    ["57014", 500],
    ["57P01", 503],
    ["58000", 500],
    ["F0000", 500],
    ["HV000", 500],
    ["P0001", 400],
    ["P0002", 500],
    ["XX000", 500],
  ])("%s is %i", (sqlstate, status) => {
    expect(problemOf(failure(sqlstate)).status).toBe(status);
  });

  it("tells the special texts apart", () => {
    expect(problemOf(failure("21000", "DELETE requires a WHERE clause")).status).toBe(400);
    expect(problemOf(failure("22023", 'role "x" does not exist')).status).toBe(401);
    expect(problemOf(failure("42883", "function xmlagg(json) does not exist")).status).toBe(406);
  });

  it("asks the anonymous who they are", () => {
    const reply = render(problemOf(failure("42501", "permission denied for table t"), anon));
    expect(reply.status).toBe(401);
    expect(reply.headers).toEqual(expect.arrayContaining(["WWW-Authenticate", "Bearer"]));
  });

  it("B07: keeps PostgreSQL's guesses at names from the anonymous", () => {
    const guess = failure("42703", "column t.secre does not exist", {
      hint: 'Perhaps you meant to reference the column "t.secret".',
    });
    expect(problemOf(guess, anon).hint).toBeNull();
    expect(problemOf(guess, alice).hint).toContain("secret");
  });

  it("B07: speaks of columns as the caller does, not by our statement's aliases", () => {
    const message = 'column "t0.title" must appear in the GROUP BY clause';
    expect(problemOf(failure("42803", message)).message).toBe('column "title" must appear in the GROUP BY clause');
    expect(problemOf(failure("42803", 'column "t0.(odd)" must')).message).toBe('column "(odd)" must');
    const guess = failure("42703", 'column t12."a b" does not exist', { hint: 'Did you mean "t12.ab"?' });
    expect(problemOf(guess)).toMatchObject({ message: 'column "a b" does not exist', hint: 'Did you mean "ab"?' });
    expect(problemOf(failure("P0001", "seat t1.a is taken")).message).toBe("seat t1.a is taken");
  });

  it("passes on what is not PostgreSQL's", () => {
    const bug = new TypeError("x");
    expect(databaseProblem(bug, anon)).toBe(bug);
  });
});

describe("rendering", () => {
  it.each([
    ["identity/token-expired", 401, "PGRST303"],
    ["identity/token-invalid", 401, "PGRST301"],
    ["identity/key-missing", 401, "PGRST302"],
    ["identity/key-unknown", 401, "PGRST301"],
    ["postgres/unavailable", 503, "PGRST001"],
    ["postgres/busy", 504, "PGRST003"],
    ["catalog/not-loaded", 503, "PGRST002"],
    ["http/not-found", 404, "PGRST125"],
    ["internal", 500, "PGRSTX00"],
  ])("%s is %i %s", (code, status, shown) => {
    const reply = render(new Problem(code, 500, "text", { details: "inner" }));
    expect(reply.status).toBe(status);
    expect(JSON.parse(String(reply.body))).toMatchObject({ code: shown });
    expect(reply.headers).toContain(`PostgREST; error=${shown}`);
    if (status >= 503) expect(reply.headers).toContain("Retry-After");
    if (status === 401) expect(reply.headers).toContain("WWW-Authenticate");
  });

  it("has all four keys always, and no body for HEAD", () => {
    const problem = new Problem("PGRST116", 406, "m");
    expect(JSON.parse(String(render(problem).body))).toEqual({
      code: "PGRST116",
      details: null,
      hint: null,
      message: "m",
    });
    expect(render(problem, "HEAD").body).toBeNull();
  });

  it("lets no message break out of a header", () => {
    const { headers } = render(new Problem("identity/token-invalid", 401, 'a"b\r\nX-Evil: 1'));
    expect(headers.join("")).not.toMatch(/[\r\n]/);
  });
});
