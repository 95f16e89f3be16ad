import { randomUUID } from "node:crypto";
import { FunctionsError, FunctionsFetchError, FunctionsHttpError, FunctionsRelayError } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FunctionsApp, ok, startFunctionsApp } from "./functions-app.ts";

let app: FunctionsApp;
beforeAll(async () => {
  app = await startFunctionsApp();
});
afterAll(() => app?.stop());

const invoke = (path: string, options?: Parameters<ReturnType<FunctionsApp["client"]>["functions"]["invoke"]>[1]) =>
  app.client().functions.invoke(path, options);

describe("FunctionsHttpError: the function was reached, and failed", () => {
  it.each([400, 401, 403, 404, 409, 418, 422, 429, 500, 502, 503])(
    "%i, with what the function says",
    async (status) => {
      const { data, error, response } = await invoke(`failures/status/${status}`);
      expect(data).toBeNull();
      expect(error).toBeInstanceOf(FunctionsHttpError);
      expect(error).toBeInstanceOf(FunctionsError);
      expect(error.context).toBe(response);
      expect([error.context.status, await error.context.json()]).toEqual([status, { error: `said with ${status}` }]);
    },
  );

  it("with a text", async () => {
    const { error } = await invoke("failures/status/400/text");
    expect(error).toBeInstanceOf(FunctionsHttpError);
    expect(await error.context.text()).toBe("said with 400");
  });

  it("that throws: nothing of what it threw", async () => {
    const { error } = await invoke("failures/throw");
    expect(error).toBeInstanceOf(FunctionsHttpError);
    const text = await error.context.text();
    expect([error.context.status, JSON.parse(text)]).toEqual([
      500,
      { code: "INTERNAL_ERROR", message: "Internal Server Error" },
    ]);
    expect(text).not.toContain("author");
    const thrown = () =>
      app.observations.map((one) => (one.kind === "functions.run-finished" && one.error ? String(one.error) : ""));
    await expect.poll(thrown, { interval: 20 }).toContain("Error: only the author may read this");
  });

  it("is written as JSON without a secret of the call", async () => {
    const { error } = await invoke("failures/status/400");
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: "FunctionsHttpError",
      message: expect.any(String),
      context: {},
    });
  });
});

describe("FunctionsRelayError: the function was not reached, or ended by the platform", () => {
  const relayed = async (path: string, client = app.client()) => {
    const { data, error, response } = await client.functions.invoke(path);
    expect(data).toBeNull();
    expect(error).toBeInstanceOf(FunctionsRelayError);
    expect(error.context).toBe(response);
    return [error.context.status, await error.context.json()];
  };

  it("there is none of this name", async () => {
    const answer = [404, { code: "NOT_FOUND", message: "Requested function was not found" }];
    for (const path of ["nothing", "nothing/below", "..%2Fecho", "__proto__"])
      expect(await relayed(path)).toEqual(answer);
  });

  it("its file cannot be loaded: nothing of why", async () => {
    const [status, body] = await relayed("broken");
    expect([status, body]).toEqual([503, { code: "BOOT_ERROR", message: expect.any(String) }]);
    expect(JSON.stringify(body)).not.toContain("author");
  });

  it("it took longer than it may", async () => {
    expect(await relayed("forever")).toEqual([546, { code: "WORKER_LIMIT", message: expect.any(String) }]);
  });

  it("the token is none of ours", async () => {
    const client = app.client(undefined, { accessToken: async () => "a.b.c" });
    expect(await relayed("echo", client)).toEqual([401, { code: "UNAUTHORIZED", message: expect.any(String) }]);
  });
});

describe("FunctionsFetchError: nobody answered, or nobody waits any more", () => {
  it("there is no server", async () => {
    const { createClient } = await import("@supabase/supabase-js");
    const { error, response } = await createClient("http://127.0.0.1:1", app.anonKey).functions.invoke("echo");
    expect(error).toBeInstanceOf(FunctionsFetchError);
    expect([error.context.name, response]).toEqual(["TypeError", undefined]);
  });

  it("aborted before it began", async () => {
    const { error } = await invoke("echo", { signal: AbortSignal.abort() });
    expect(error).toBeInstanceOf(FunctionsFetchError);
    expect(error.context.name).toBe("AbortError");
  });

  it("aborted in the middle, which the function is told", async () => {
    const id = randomUUID();
    const left = new AbortController();
    const call = invoke(`waits?id=${id}`, { signal: left.signal });
    await app.said(`begun ${id}`);
    left.abort();
    const { error } = await call;
    expect([error.name, error.context.name]).toEqual(["FunctionsFetchError", "AbortError"]);
    await app.said(`left ${id}`);
  });

  it("timed out, whatever other signal it has", async () => {
    const { error } = await invoke("waits", { timeout: 1, signal: new AbortController().signal });
    expect([error.name, error.context.name]).toEqual(["FunctionsFetchError", "AbortError"]);
  });
});

describe("an answer that has begun", () => {
  it("and breaks is cut off: it does not look complete", async () => {
    const { data, error } = await invoke("failures/breaks");
    // Whether the head was still sent is the sockets' matter.
    if (error === null) await expect(data.text()).rejects.toThrow();
    else expect(error).toBeInstanceOf(FunctionsFetchError);
  });

  it("ends for the function when its reader leaves", async () => {
    const id = randomUUID();
    const response = ok<Response>(await invoke(`streams?id=${id}`));
    const reader = response.body!.getReader();
    expect(Buffer.from((await reader.read()).value!).toString()).toBe("data: begun\n\n");
    await reader.cancel();
    await app.said(`left ${id}`);
  });
});
