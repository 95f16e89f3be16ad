import { createHash, randomBytes, randomUUID } from "node:crypto";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BootedApp, boot } from "@mainstay/testing";
import type { SupabaseClient } from "@supabase/supabase-js";
import type { JSHandle, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it, type TestContext } from "vitest";
import { describeInBrowser } from "./harness.ts";
import { openClient, openSite, type Site } from "./site.ts";

/** What pages say that they have of a stream. */
const sql = "create table public.steps (run text, n int); grant select, insert on public.steps to anon;";

describeInBrowser("functions, in Chromium", (browser) => {
  let app: BootedApp;
  let site: Site;
  let projectDir: string;
  beforeAll(async () => {
    projectDir = mkdtempSync(join(tmpdir(), "mainstay-browser-functions-"));
    cpSync(join(import.meta.dirname, "project"), projectDir, { recursive: true });
    [site, app] = await Promise.all([openSite(), boot({ sql, projectDir })]);
    site.connect(app);
  });
  afterAll(async () => {
    await app?.stop();
    await site?.stop();
    rmSync(projectDir, { recursive: true, force: true });
  });

  /** A page of the site, which is another origin than the server's. */
  async function open(test: TestContext): Promise<{ readonly page: Page; readonly client: JSHandle<SupabaseClient> }> {
    const page = await browser.page(test);
    return { page, client: await openClient(page, site.origin, app) };
  }
  const said = (message: string) =>
    expect
      .poll(() => app.observations.some((one) => one.kind === "functions.log" && one.message === message), {
        interval: 20,
        message: `a function's line "${message}"`,
      })
      .toBe(true);

  it("invokes one by JSON, and reads its answer and headers", async (test) => {
    const { client } = await open(test);
    const seen = await client.evaluate(async (client) => {
      const { data, error, response } = await client.functions.invoke("says/200/a/b", { body: { any: "thing" } });
      return { data, error, id: response?.headers.get("x-request-id") };
    });
    expect(seen).toEqual({ data: { words: ["a", "b"] }, error: null, id: expect.stringMatching(/\S/) });
  });

  it.for(["text/event-stream", "text/plain"])("has each piece of %s before the next is sent", async (type, test) => {
    const { client } = await open(test);
    const pieces = await client.evaluate(
      async (client, { run, type, anonKey, url }) => {
        const path = `steps?${new URLSearchParams({ run, type })}`;
        // Any other type than that of events the client reads to its end itself.
        const response: Response =
          type === "text/event-stream"
            ? (await client.functions.invoke(path)).data
            : await fetch(`${url}/functions/v1/${path}`, { headers: { apikey: anonKey } });
        const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
        const pieces: string[] = [];
        for (let step = await reader.read(); !step.done; step = await reader.read()) {
          pieces.push(step.value);
          // The function waits for this row: what came without it was not held back.
          await client.from("steps").insert({ run, n: pieces.length });
        }
        return pieces;
      },
      { run: randomUUID(), type, anonKey: app.anonKey, url: app.url },
    );
    expect(pieces).toEqual(["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]);
  });

  it("sends files, bytes and forms", async (test) => {
    const { client } = await open(test);
    const file = randomBytes(1_000_000);
    const seen = await client.evaluate(async (client, base64) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const form = new FormData();
      form.append("text", "grüße");
      form.append("file", new File([bytes], "ü.bin", { type: "image/png" }));
      const bodies = [new File([bytes], "a.bin", { type: "image/png" }), bytes.buffer, form];
      const answers: unknown[] = [];
      for (const body of bodies) answers.push((await client.functions.invoke("upload", { body })).data);
      return answers;
    }, file.toString("base64"));
    const whole = { size: file.length, hash: createHash("sha256").update(file).digest("hex") };
    expect(seen).toEqual([
      { ...whole, type: "image/png" },
      { ...whole, type: "application/octet-stream" },
      { ...whole, type: "image/png", text: "grüße", name: "ü.bin" },
    ]);
  });

  it("leaves in the middle, which the function is told: by a signal, and by closing the page", async (test) => {
    const { page, client } = await open(test);
    const [first, second] = [randomUUID(), randomUUID()];
    const call = await client.evaluateHandle((client, id) => {
      const left = new AbortController();
      const ended = client.functions.invoke(`waits?id=${id}`, { signal: left.signal });
      return { left, ended };
    }, first);
    await said(`begun ${first}`);
    const told = await call.evaluate(async ({ left, ended }) => {
      left.abort();
      const { error } = await ended;
      return [error.name, error.context.name];
    });
    expect(told).toEqual(["FunctionsFetchError", "AbortError"]);
    await said(`left ${first}`);

    await client.evaluate((client, id) => void client.functions.invoke(`waits?id=${id}`), second);
    await said(`begun ${second}`);
    await page.close();
    await said(`left ${second}`);
  });

  it("reads what is wrong: of the function, of the server, of nobody", async (test) => {
    const { client } = await open(test);
    const seen = await client.evaluate(async (client) => {
      const errors: unknown[] = [];
      for (const path of ["says/422/not/so", "nothing"]) {
        const { error } = await client.functions.invoke(path);
        errors.push([error.name, error.context.status, await error.context.json()]);
      }
      const { error } = await client.functions.invoke("says/200", { headers: { Authorization: "Bearer a.b.c" } });
      errors.push([error.name, error.context.status, (await error.context.json()).code]);
      return errors;
    });
    expect(seen).toEqual([
      ["FunctionsHttpError", 422, { words: ["not", "so"] }],
      ["FunctionsRelayError", 404, { code: "NOT_FOUND", message: expect.any(String) }],
      ["FunctionsRelayError", 401, "UNAUTHORIZED"],
    ]);
  });

  it("lets a function say itself which pages may call it", async (test) => {
    const { client } = await open(test);
    const seen = await client.evaluate(async (client, origin) => {
      const results: unknown[] = [];
      for (const named of [origin, "https://elsewhere.example"]) {
        const { data, error, response } = await client.functions.invoke(
          `own-cors?${new URLSearchParams({ origin: named })}`,
        );
        results.push([data, error?.name ?? null, response?.headers.get("x-own") ?? null]);
      }
      return results;
    }, site.origin);
    expect(seen).toEqual([
      [{ by: "POST" }, null, "own"],
      [null, "FunctionsFetchError", null],
    ]);
  });
});
