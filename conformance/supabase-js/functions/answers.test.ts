import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FunctionsApp, ok, startFunctionsApp } from "./functions-app.ts";

let app: FunctionsApp;
beforeAll(async () => {
  app = await startFunctionsApp();
});
afterAll(() => app?.stop());

const invoke = (name: string) => app.client().functions.invoke(`answers/${name}`);

describe("an answer becomes, by its type,", () => {
  it.each([
    ["json", { a: [1, "ü", null] }],
    ["json-with-parameters", { a: 1 }],
    ["zipped", { zipped: true }],
    ["html", "<p>hello</p>"],
    ["untyped", "no type"],
    ["empty", ""],
    ["204", ""],
  ])("%s: a value", async (name, data) => {
    expect(ok(await invoke(name))).toEqual(data);
  });

  it("a Blob", async () => {
    const bytes = ok<Blob>(await invoke("octet-stream"));
    expect([...new Uint8Array(await bytes.arrayBuffer())]).toEqual([0, 1, 254, 255]);
    const pdf = ok<Blob>(await invoke("pdf"));
    expect([pdf.type, await pdf.text()]).toEqual(["application/pdf", "%PDF-1.7\n"]);
  });

  it("a form", async () => {
    const form = ok<FormData>(await invoke("form"));
    expect(form.get("field")).toBe("value");
    const file = form.get("file") as File;
    expect([file.name, file.type, await file.text()]).toEqual(["a.csv", "text/csv", "bytes"]);
  });

  it("a Response to read events from, with nothing of it read", async () => {
    const response = ok<Response>(await invoke("events"));
    expect(response.bodyUsed).toBe(false);
    expect(await response.text()).toBe("data: 1\n\nevent: named\ndata: 2\n\n");
  });
});

describe("an answer has", () => {
  it("its status and headers, as the function wrote them", async () => {
    const { data, response } = await invoke("201");
    expect([response?.status, response?.headers.get("location"), data]).toEqual([201, "/things/7", { id: 7 }]);
    expect(response?.headers.get("x-request-id")).toMatch(/\S/);
    const nothing = (await invoke("204")).response!;
    expect([nothing.status, nothing.headers.get("content-length")]).toEqual([204, null]);
  });

  it("each of its cookies", async () => {
    const { response } = await invoke("cookies");
    expect(response?.headers.getSetCookie()).toEqual([
      "a=1; Path=/; HttpOnly",
      "b=2; Path=/; Expires=Thu, 01 Jan 2099 00:00:00 GMT",
    ]);
    expect([response?.headers.get("x-own"), response?.headers.get("etag")]).toEqual(["1", '"v1"']);
  });

  it("no place in a cache, unless it says so: it was for one caller", async () => {
    expect((await invoke("json")).response?.headers.get("cache-control")).toBe("private, no-store");
  });

  it("no type where the function gave none", async () => {
    expect((await invoke("untyped")).response?.headers.get("content-type")).toBeNull();
  });

  it("a head alone where that is all that was asked for", async () => {
    const head = await app.ask("/answers/json", { method: "HEAD" });
    expect([head.status, head.headers.get("content-type"), head.text]).toEqual([200, "application/json", ""]);
  });
});
