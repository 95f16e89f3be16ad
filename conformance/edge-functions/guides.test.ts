import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EdgeApp, startEdgeApp } from "./app.ts";

let app: EdgeApp;
beforeAll(async () => {
  app = await startEdgeApp();
  // Whoever calls meanwhile waits until all of them have been loaded.
  await fetch(`${app.url}/functions/v1/public-hello`);
});
afterAll(() => app?.stop());

const invoke = async (name: string, options?: Parameters<ReturnType<EdgeApp["client"]>["functions"]["invoke"]>[1]) => {
  const { data, error } = await app.client().functions.invoke(name, options);
  expect(error, error?.context?.status).toBeNull();
  return data;
};
const plain = (name: string, init: RequestInit = {}) => fetch(`${app.url}/functions/v1/${name}`, init);

describe("edge functions as guides have them run unchanged:", () => {
  it("hello, with CORS from a shared file and words from functions/.env", async () => {
    expect(await invoke("hello", { body: { name: "Ada" } })).toEqual({ message: "Hello Ada!" });
    const { error } = await app.client().functions.invoke("hello", { body: "no JSON" });
    expect([error.context.status, await error.context.json()]).toEqual([400, { error: expect.stringMatching(/JSON/) }]);
    expect(error.context.headers.get("access-control-allow-origin")).toBe("*");
    const asked = await plain("hello", { method: "OPTIONS" });
    expect([asked.status, await asked.text()]).toEqual([200, "ok"]);
  });

  it("verify_jwt = false in config.toml: nobody is asked who they are, elsewhere everybody", async () => {
    expect(await (await plain("public-hello")).text()).toBe("Hello, whoever you are");
    expect((await plain("hello", { method: "POST" })).status).toBe(401);
  });

  it("supabase-js within, as the caller and as the service", async () => {
    const [ann, ben] = [await app.signedUp(), await app.signedUp()];
    for (const { client, email } of [ann, ben]) {
      expect((await client.from("notes").insert({ text: `of ${email}` })).error).toBeNull();
    }
    for (const { client, email } of [ann, ben]) {
      const { data, error } = await client.functions.invoke("as-caller");
      expect(error).toBeNull();
      expect(data).toMatchObject({ email, own: [{ text: `of ${email}` }], error: null });
      expect(data.all).toBeGreaterThanOrEqual(2);
    }
    expect(await invoke("as-caller")).toMatchObject({ email: null, own: [] });
  });

  it("what Stripe sends, with its signature", async () => {
    const body = JSON.stringify({ id: "evt_1", type: "checkout.session.completed" });
    const signed = createHmac("sha256", "whsec_of_the_project").update(`1700000000.${body}`).digest("hex");
    const send = (v1: string) =>
      plain("stripe-webhook", { method: "POST", body, headers: { "Stripe-Signature": `t=1700000000,v1=${v1}` } });
    const taken = await send(signed);
    expect([taken.status, await taken.json()]).toEqual([200, { ok: true, id: "evt_1" }]);
    const forged = await send(signed.replace(/^./, (letter) => (letter === "0" ? "1" : "0")));
    expect([forged.status, await forged.text()]).toEqual([400, expect.stringContaining("No signatures found")]);
  });

  it("serve of deno.land/std, and packages of a CDN", async () => {
    expect(await invoke("std-serve/below?word=hi")).toEqual({
      pathname: "/std-serve/below",
      word: "aGk=",
      client: "function",
    });
  });

  it("work that goes on after the answer", async () => {
    expect(await invoke("background", { body: "written afterwards" })).toEqual({ accepted: true });
    await expect
      .poll(() => app.sql("select text from notes where text = 'written afterwards'"), { interval: 20 })
      .toHaveLength(1);
  });

  it("events, as they come", async () => {
    const response = (await invoke("events")) as Response;
    expect(await response.text()).toBe("data: hello\r\n\r\n".repeat(3));
  });

  it("names of an import map", async () => {
    expect(await invoke("mapped")).toEqual({ hex: "ff01", client: "function" });
  });

  it("the default secrets, those of functions/.env, and nothing of the server's own", async () => {
    const found = (await invoke("environment")) as Readonly<Record<string, string>>;
    const { SUPABASE_PUBLISHABLE_KEYS, SUPABASE_SECRET_KEYS, SUPABASE_JWKS, ...others } = found;
    expect(others).toEqual({
      GREETING: "Hello",
      STRIPE_WEBHOOK_SIGNING_SECRET: "whsec_of_the_project",
      SUPABASE_URL: app.url,
      SUPABASE_ANON_KEY: app.anonKey,
      SUPABASE_SERVICE_ROLE_KEY: app.serviceRoleKey,
    });
    expect(JSON.parse(SUPABASE_PUBLISHABLE_KEYS ?? "")).toEqual({ default: app.publishableKey });
    expect(JSON.parse(SUPABASE_SECRET_KEYS ?? "")).toEqual({ default: app.secretKey });
    const jwks = await fetch(`${app.url}/auth/v1/.well-known/jwks.json`);
    const served = (await jwks.json()) as { readonly keys: readonly unknown[] };
    expect(JSON.parse(SUPABASE_JWKS ?? "")).toEqual(served);
    expect(served.keys).not.toHaveLength(0);
  });

  it("a file beside the function", async () => {
    expect(await invoke("files")).toBe("read beside the function\n");
  });
});

describe("what cannot run is named at start:", () => {
  const said = (name: string) =>
    app.observations.filter((one) => one.kind === "functions.diagnostic" && one.functionName === name);
  /** Where in a file these words stand. */
  const placeOf = (name: string, words: string) => {
    const file = `supabase/functions/${name}/index.ts`;
    const lines = readFileSync(join(import.meta.dirname, "project", file), "utf8").split("\n");
    const at = lines.findIndex((line) => line.includes(words));
    return { file, line: at + 1, column: lines[at]!.indexOf(words) + 1 };
  };

  it("websockets, and the rest of the function runs", async () => {
    expect(said("sockets")).toMatchObject([
      {
        severity: "warning",
        ...placeOf("sockets", "Deno.upgradeWebSocket"),
        message: expect.stringContaining("Deno.upgradeWebSocket"),
        hint: expect.stringContaining("realtime"),
      },
    ]);
    const answer = await app.client().functions.invoke("sockets");
    expect([answer.error.context.status, await answer.error.context.text()]).toEqual([
      400,
      "request isn't trying to upgrade to WebSocket.",
    ]);
  });

  it("files that would be written", async () => {
    expect(said("files")).toMatchObject([
      { severity: "warning", ...placeOf("files", "Deno.writeTextFile"), hint: expect.stringContaining("storage") },
    ]);
    expect((await app.client().functions.invoke("files", { method: "PUT", body: "x" })).error.context.status).toBe(500);
  });

  it("a package that is not installed, and the function is not served", async () => {
    expect(said("mail")).toMatchObject([
      {
        severity: "error",
        file: "supabase/functions/mail/index.ts",
        line: 2,
        message: expect.stringContaining("resend"),
      },
    ]);
    expect(JSON.stringify(said("mail"))).toContain("npm install resend@4.0.0");
    const { error } = await app.client().functions.invoke("mail");
    expect([error.name, error.context.status]).toEqual(["FunctionsRelayError", 503]);
  });

  it("another version of a package than is there", () => {
    expect(said("std-serve")).toMatchObject([
      { severity: "warning", message: expect.stringContaining("2.7.1"), hint: expect.stringContaining("npm install") },
    ]);
  });

  it("nothing else: neither of functions that run, nor of one that is switched off", async () => {
    for (const name of ["hello", "public-hello", "as-caller", "stripe-webhook", "background", "events", "mapped"]) {
      expect(said(name), name).toEqual([]);
    }
    const { error } = await app.client().functions.invoke("switched-off");
    expect([error.name, error.context.status]).toEqual(["FunctionsRelayError", 404]);
  });
});

describe("SQL of guides, as migrations,", () => {
  it("queues are used through pgmq_public", async () => {
    const { client } = await app.signedUp();
    const queues = client.schema("pgmq_public");
    const call = async (name: string, given: Record<string, unknown>) => {
      const { data, error } = await queues.rpc(name, { queue_name: "foo", ...given });
      expect(error).toBeNull();
      return data as unknown;
    };
    expect(await call("send", { message: { hello: "world" }, sleep_seconds: 0 })).toEqual([1]);
    expect(await call("send_batch", { messages: [{ n: 2 }, { n: 3 }], sleep_seconds: 0 })).toEqual([2, 3]);
    expect(await call("read", { sleep_seconds: 0, n: 1 })).toMatchObject([{ msg_id: 1, message: { hello: "world" } }]);
    expect(await call("pop", {})).toMatchObject([{ msg_id: 1 }]);
    expect(await call("delete", { message_id: 2 })).toBe(true);
    expect(await call("pop", {})).toMatchObject([{ msg_id: 3, message: { n: 3 } }]);
    expect(await call("pop", {})).toEqual([]);
    const { error } = await app.client().schema("pgmq_public").rpc("pop", { queue_name: "foo" });
    expect(error?.code).toBe("42501");
  });

  it("schedules write rows and call functions", async () => {
    const jobs = await app.sql("select jobname, schedule, active from cron.job order by jobname");
    expect(jobs).toEqual([
      { jobname: "every-second", schedule: "1 seconds", active: true },
      { jobname: "invoke-function-every-second", schedule: "1 seconds", active: true },
      { jobname: "nightly-vacuum", schedule: "0 3 * * *", active: true },
    ]);
    await expect.poll(() => app.sql("select 1 from ticks"), { interval: 100 }).not.toHaveLength(0);
    const answered = "select 1 from net._http_response where status_code = 200 and content = 'Hello, whoever you are'";
    await expect.poll(() => app.sql(answered), { interval: 100 }).not.toHaveLength(0);
    await app.sql("select cron.unschedule('every-second'), cron.unschedule('invoke-function-every-second')");
    const runs = "select distinct status from cron.job_run_details where jobid is not null and status = 'failed'";
    expect(await app.sql(runs)).toEqual([]);
  });

  it("triggers with supabase_functions.http_request tell functions of rows", async () => {
    const { error } = await app.client(app.serviceRoleKey).from("orders").insert({ id: 1, total: 9.5 });
    expect(error).toBeNull();
    const told = `select r.status_code, r.content from supabase_functions.hooks h
      join net._http_response r on r.id = h.request_id where h.hook_name = 'tell_of_orders'`;
    await expect
      .poll(() => app.sql(told), { interval: 50 })
      .toEqual([{ status_code: 200, content: "Hello, whoever you are" }]);
  });
});
