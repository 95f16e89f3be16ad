import { corsHeaders } from "@supabase/supabase-js/cors";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FunctionsApp, startFunctionsApp } from "./functions-app.ts";

let app: FunctionsApp;
beforeAll(async () => {
  app = await startFunctionsApp();
});
afterAll(() => app?.stop());

const origin = "https://page.example";
const words = (list: string | null): readonly string[] => (list ?? "").toLowerCase().split(/\s*,\s*/);
/** As a browser asks before it sends what a page wants to. */
const preflight = (name: string, asked = "apikey,authorization,content-type,x-client-info,x-region,x-own") =>
  fetch(`${app.url}/functions/v1/${name}`, {
    method: "OPTIONS",
    headers: { Origin: origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked },
  });
const post = (name: string) =>
  fetch(`${app.url}/functions/v1/${name}`, { method: "POST", headers: { Origin: origin, apikey: app.publishableKey } });

describe("the server's CORS, for functions that say nothing of it", () => {
  it("lets pages send all that the client sends, and what they add", async () => {
    const answer = await preflight("echo");
    expect([answer.ok, answer.headers.get("access-control-allow-origin")]).toEqual([true, "*"]);
    const allowed = words(answer.headers.get("access-control-allow-headers"));
    expect(allowed).toEqual(expect.arrayContaining([...words(corsHeaders["Access-Control-Allow-Headers"]!), "x-own"]));
    const methods = words(answer.headers.get("access-control-allow-methods"));
    expect(methods).toEqual(expect.arrayContaining([...words(corsHeaders["Access-Control-Allow-Methods"]!)]));
  });

  it("lets pages read answers and refusals, and tell them apart", async () => {
    for (const name of ["echo", "nothing", "broken", "failures/throw"]) {
      const { headers } = await post(name);
      expect(headers.get("access-control-allow-origin"), name).toBe("*");
      expect(words(headers.get("access-control-expose-headers")), name).toContain("x-relay-error");
    }
    const refused = await fetch(`${app.url}/functions/v1/echo`, { method: "POST", headers: { Origin: origin } });
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, "*"]);
  });
});

describe("CORS as functions write it", () => {
  it("is said once", async () => {
    const answer = await post("written-cors");
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(await answer.json()).toEqual({ message: "hello" });
    expect((await preflight("written-cors")).ok).toBe(true);
  });

  it("answers what is no browser's preflight itself", async () => {
    const asked = await fetch(`${app.url}/functions/v1/written-cors`, { method: "OPTIONS" });
    expect([asked.status, await asked.text()]).toEqual([200, "ok"]);
  });

  it("is the function's alone where it wants that", async () => {
    const asked = await preflight("own-cors");
    expect([asked.status, await asked.text()]).toEqual([200, "own preflight"]);
    for (const { headers } of [asked, await post("own-cors")]) {
      expect(headers.get("access-control-allow-origin")).toBe("https://one.example");
    }
    expect(asked.headers.get("access-control-allow-headers")).toBe("x-own");
  });
});
