import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "../app.ts";

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

const accept = (path: string, type: string) => app.rest(path, { headers: { Accept: type } });

describe("rest: response headers", () => {
  it("a read says its type, length and location", async () => {
    const { headers, text } = await app.rest("/letters?select=id&limit=2&order=id");
    expect(headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(headers.get("content-length")).toBe(String(Buffer.byteLength(text)));
    expect(headers.get("content-location")).toBe("/letters?limit=2&order=id&select=id");
  });

  it("a 204 has neither type nor body", async () => {
    const answer = await app.rest("/letters?id=eq.999", { method: "DELETE" });
    expect(answer).toMatchObject({ status: 204, text: "" });
    expect(answer.headers.get("content-type")).toBeNull();
  });

  it("HEAD has the length of what GET would send, or none", async () => {
    const [get, head] = [await app.rest("/letters"), await app.rest("/letters", { method: "HEAD" })];
    expect(head).toMatchObject({ status: 200, text: "" });
    expect([null, get.headers.get("content-length")]).toContain(head.headers.get("content-length"));
  });

  it("X06 an answer that depends on who asks is not for shared caches", async () => {
    const control = (await app.rest("/letters?limit=1")).headers.get("cache-control");
    // No header is private enough for RFC 9111 §3.5, since the request carried Authorization; `public` would not be.
    expect(control ?? "").not.toMatch(/public|s-maxage/);
  });
});

describe("rest: Accept", () => {
  it("one object", async () => {
    for (const type of ["application/vnd.pgrst.object+json", "application/vnd.pgrst.object"]) {
      const answer = await accept("/letters?id=eq.1", type);
      expect(answer).toMatchObject({ status: 200, json: { id: 1, letter: "a" } });
      expect(answer.headers.get("content-type")).toBe("application/vnd.pgrst.object+json; charset=utf-8");
    }
  });

  it.each([
    ["/letters?id=eq.99", "0 rows"],
    ["/letters", "5 rows"],
  ])("one object of %s is PGRST116 with %s", async (path, counted) => {
    const answer = await accept(path, "application/vnd.pgrst.object+json");
    expect(answer).toMatchObject({
      status: 406,
      json: { code: "PGRST116", details: expect.stringContaining(counted), hint: null },
    });
  });

  it("one object without nulls, recursively", async () => {
    const answer = await accept(
      "/films?id=eq.4&select=id,genre,details,trailers(id)",
      "application/vnd.pgrst.object+json;nulls=stripped",
    );
    expect(answer.json).toEqual({ id: 4, details: { lang: "ja" } });
  });

  it("an array without nulls", async () => {
    const answer = await accept("/films?id=eq.4&select=id,genre", "application/vnd.pgrst.array+json;nulls=stripped");
    expect(answer.json).toEqual([{ id: 4 }]);
    expect(answer.headers.get("content-type")).toBe("application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8");
  });

  it("JSON with any parameter is plain JSON", async () => {
    expect((await accept("/films?id=eq.4&select=id,genre", "application/json;nulls=stripped")).json).toEqual([
      { id: 4, genre: null },
    ]);
  });

  it("CSV", async () => {
    const answer = await accept("/phrases?select=id,text&id=in.(1,2,4,9,10)&order=id", "text/csv");
    expect(answer.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    expect(answer.text.trimEnd().split("\n")).toEqual([
      "id,text",
      "1,plain",
      '2,"with, comma"',
      '4,"with ""quotes"""',
      "9,",
      '10,""',
    ]);
  });

  it("CSV without rows is empty or a header line", async () => {
    const answer = await accept("/letters?id=eq.99", "text/csv");
    expect(answer.status).toBe(200);
    expect(["", "id,letter"]).toContain(answer.text.trim());
  });

  it("a plan is refused with PGRST107 unless switched on", async () => {
    for (const type of ["application/vnd.pgrst.plan+text", "application/vnd.pgrst.plan+json"]) {
      expect(await accept("/letters", type)).toMatchObject({ status: 406, json: { code: "PGRST107" } });
    }
  });

  it.each(["image/png", "application/octet-stream", "text/xml", "application/openapi+json"])(
    "%s of a table is PGRST107",
    async (type) => {
      expect(await accept("/letters", type)).toMatchObject({ status: 406, json: { code: "PGRST107" } });
    },
  );

  it("a media type the database has a handler for", async () => {
    await app.sql(`
      create domain "text/tab-separated-values" as text;
      create function public.letter_tsv(state text, next public.letters) returns "text/tab-separated-values"
        language sql immutable as $$ select coalesce(state, '') || next.id || chr(9) || next.letter || chr(10) $$;
      create aggregate public.letters_tsv(public.letters) (sfunc = letter_tsv, stype = "text/tab-separated-values");
      notify pgrst, 'reload schema';
    `);
    await expect
      .poll(async () => (await accept("/letters?id=lte.2&order=id", "text/tab-separated-values")).text)
      .toBe("1\ta\n2\tb\n");
  });

  it("GeoJSON without PostGIS is an error, not a crash", async () => {
    const answer = await accept("/letters", "application/geo+json");
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.json).toMatchObject({ code: expect.any(String), message: expect.any(String) });
  });

  it("values are written as PostgreSQL writes JSON", async () => {
    const { text, json } = await app.rest("/types?id=eq.1");
    expect(text).toMatch(/"big":\s*9007199254740993\b/);
    expect(text).toMatch(/"exact":\s*1\.10\b/);
    expect((json as object[])[0]).toMatchObject({
      flag: true,
      float: 0.5,
      day: "2026-02-28",
      moment: "2024-01-01T00:00:00+00:00",
      uid: "6f0c8d2e-0000-4000-8000-000000000001",
      bytes: "\\xdeadbeef",
      doc: { a: 1 },
      docb: { a: { b: [1, 2] } },
      ints: [1, 2, 3],
      span: "[1,5)",
      document: "'one':1 'two':2",
      size: { width: 3, height: 4 },
      kind: "comedy",
      duration: 5,
    });
    expect((await app.rest("/types?id=eq.2&select=exact,doc")).json).toEqual([{ exact: "NaN", doc: null }]);
  });
});

describe("rest: plans, switched on", () => {
  let open: App;
  beforeAll(async () => {
    open = await startApp({ data: { planEnabled: true } });
  });
  afterAll(() => open.stop());

  it("as text and as JSON, with options, a for= and a trailing semicolon", async () => {
    const text = await open.rest("/letters?id=eq.1", { headers: { Accept: "application/vnd.pgrst.plan+text" } });
    expect(text.status).toBe(200);
    expect(text.text).toMatch(/cost=/);
    const json = await open.rest("/letters?id=eq.1", {
      headers: {
        Accept:
          'application/vnd.pgrst.plan+json; for="application/json"; options=analyze|verbose|settings|buffers|wal;',
      },
    });
    expect(json.headers.get("content-type")).toContain("application/vnd.pgrst.plan+json");
    expect(json.json).toEqual([
      expect.objectContaining({ Plan: expect.objectContaining({ "Actual Rows": expect.any(Number) }) }),
    ]);
  });

  it("a plan of a write changes nothing unless analyzed", async () => {
    const answer = await open.rest("/letters?id=eq.1", {
      method: "DELETE",
      headers: { Accept: "application/vnd.pgrst.plan+text" },
    });
    expect(answer.text).toMatch(/Delete on/);
    expect((await open.rest("/letters?id=eq.1")).json).toHaveLength(1);
  });
});
