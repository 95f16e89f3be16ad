import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "../app.ts";

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

const list = (value: string | null) => (value ?? "").toLowerCase().split(/,\s*/).sort();

describe("rest: CORS", () => {
  it("says nothing without an Origin", async () => {
    expect((await app.rest("/letters?limit=1")).headers.get("access-control-allow-origin")).toBeNull();
  });

  it("lets any origin read, and exposes the headers clients need", async () => {
    const { headers } = await app.rest("/letters?limit=1", { headers: { Origin: "https://app.example" } });
    expect(headers.get("access-control-allow-origin")).toBe("*");
    expect(list(headers.get("access-control-expose-headers"))).toEqual(
      expect.arrayContaining(["content-location", "content-range", "content-type", "location", "range-unit"]),
    );
  });

  it("lets it read errors too", async () => {
    const { headers } = await app.rest("/nothing_here", { headers: { Origin: "https://app.example" } });
    expect(headers.get("access-control-allow-origin")).toBe("*");
  });

  it("answers a preflight, without a key, with what was asked for", async () => {
    const response = await fetch(`${app.url}/rest/v1/letters`, {
      method: "OPTIONS",
      headers: {
        Origin: "https://app.example",
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "apikey, authorization, x-client-info, x-own, prefer",
      },
    });
    expect([200, 204]).toContain(response.status);
    expect(list(response.headers.get("access-control-allow-methods"))).toEqual(
      ["get", "post", "patch", "put", "delete", "options", "head"].sort(),
    );
    expect(list(response.headers.get("access-control-allow-headers"))).toEqual(
      expect.arrayContaining([
        "authorization",
        "apikey",
        "x-client-info",
        "x-own",
        "prefer",
        "accept",
        "accept-language",
        "content-language",
      ]),
    );
    expect(response.headers.get("access-control-max-age")).toBe("86400");
  });

  it("an OPTIONS that is no preflight reaches the relation", async () => {
    const answer = await app.rest("/letters", { method: "OPTIONS", headers: { Origin: "https://app.example" } });
    expect(answer.headers.get("allow")).toContain("GET");
  });
});
