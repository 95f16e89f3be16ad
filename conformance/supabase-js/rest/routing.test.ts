import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "../app.ts";

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

describe("rest: routing", () => {
  it("serves an OpenAPI 2.0 document at the root", async () => {
    const answer = await app.rest("/");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/openapi+json; charset=utf-8");
    expect(answer.json).toMatchObject({
      swagger: "2.0",
      paths: { "/films": { get: {}, post: {}, patch: {}, delete: {} }, "/rpc/add_them": { post: {}, get: {} } },
      definitions: {
        films: { required: expect.arrayContaining(["id", "title", "year"]), properties: { title: { type: "string" } } },
      },
    });
  });

  it("shows an anonymous caller no relation he may do nothing with", async () => {
    const { json } = await app.rest("/");
    expect(Object.keys((json as { paths: object }).paths)).not.toContain("/staff_only");
  });

  it("answers HEAD and OPTIONS at the root", async () => {
    expect(await app.rest("/", { method: "HEAD" })).toMatchObject({ status: 200, text: "" });
    expect((await app.rest("/", { method: "OPTIONS" })).status).toBe(200);
  });

  it.each([
    ["/films", "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"],
    ["/no_key", "OPTIONS,GET,HEAD,POST,PATCH,DELETE"],
    ["/films_per_year", "OPTIONS,GET,HEAD"],
    ["/rpc/add_them", "OPTIONS,GET,HEAD,POST"],
    ["/rpc/all_films", "OPTIONS,GET,HEAD,POST"],
    ["/rpc/add_letter", "OPTIONS,POST"],
  ])("OPTIONS %s allows %s", async (path, allow) => {
    const answer = await app.rest(path, { method: "OPTIONS" });
    expect(answer).toMatchObject({ status: 200, text: "" });
    expect(answer.headers.get("allow")?.replaceAll(" ", "")).toBe(allow);
  });

  it.each([
    ["PROPFIND", "/films", 405, "PGRST117"],
    ["PUT", "/rpc/add_them", 405, "PGRST101"],
    ["PATCH", "/rpc/add_them", 405, "PGRST101"],
    ["DELETE", "/rpc/add_them", 405, "PGRST101"],
    ["GET", "/films/1", 404, "PGRST125"],
    ["GET", "/rpc/add_them/1", 404, "PGRST125"],
    ["GET", "/nothing_here", 404, "PGRST205"],
    ["POST", "/nothing_here", 404, "PGRST205"],
  ])("%s %s is %i %s", async (method, path, status, code) => {
    const answer = await app.rest(path, { method, ...(method === "POST" ? { body: {} } : {}) });
    expect(answer).toMatchObject({ status, json: { code } });
  });

  it.each([
    ["a table", "/letters?id=eq.1", [{ id: 1, letter: "a" }]],
    ["a view", "/film_titles?id=eq.2&select=title", [{ title: "Vagabond" }]],
    ["a view over a view", "/short_titles?id=eq.4&select=shouted", [{ shouted: "IKIRU" }]],
    ["a materialized view", "/films_per_year?year=eq.1954", [{ year: 1954, films: 1 }]],
    ["a name with a space", "/Strange%20names?select=id", [{ id: 1 }]],
  ])("reads %s", async (_what, path, rows) => {
    expect(await app.rest(path)).toMatchObject({ status: 200, json: rows });
  });
});
