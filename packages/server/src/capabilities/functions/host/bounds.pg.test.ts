import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FunctionsApp, openFunctionsApp } from "./app.testing.ts";
import { type Gate, openGate } from "./gate.testing.ts";

const limits = {
  functionsThreads: 3,
  functionsQueueLimit: 4,
  functionsTimeoutMs: 60_000,
  functionsHangMs: 2_000,
  functionsBodyLimitBytes: 1_000,
  functionsResponseLimitBytes: 20_000_000,
};

let gate: Gate;
let app: FunctionsApp;
beforeAll(async () => {
  gate = await openGate();
  gate.leaveOpen("/sometimes", 500);
  const waitAt = (path: string) => `await fetch("${gate.url}${path}")`;
  // More functions than threads.
  app = await openFunctionsApp(
    {
      "loads.ts": `${waitAt("/loads")}; export default () => new Response("loaded");`,
      "sometimes.ts": `const { status } = ${waitAt("/sometimes")};
        if (status !== 204) throw new Error("Not there yet: " + status);
        export default () => new Response("here");`,
      "hello.ts": `export default () => new Response("hello");`,
      "held.ts": `export default async () => { ${waitAt("/held")}; return new Response("held"); };`,
      "last.ts": `export default async () => { ${waitAt("/last")}; return new Response("last"); };`,
      "one.ts": `import { serve } from "@mainstay/functions";
        export default serve({ concurrency: 1 }, async () => { ${waitAt("/one")}; return new Response("one"); });`,
      "shared.ts": `import { serve } from "@mainstay/functions";
        let here = 0;
        const all = Promise.withResolvers();
        export default serve({ sharedBy: 3, concurrency: 3 }, async () => {
          if (++here === 3) all.resolve(undefined);
          await all.promise;
          return new Response("of " + here);
        });`,
      "brief.ts": `import { serve } from "@mainstay/functions";
        export default serve({ timeoutMs: 200 }, () => new Promise(() => {}));`,
      "long.ts": `export default async () => {
          await new Promise((resolve) => setTimeout(resolve, 900));
          return new Response("in the end");
        };`,
      "size.ts": `export default async (request: Request) => new Response(String((await request.bytes()).length));`,
      "many.ts": `export default (request: Request) => new Response("x".repeat(Number(new URL(request.url).searchParams.get("n"))));`,
      "throws.ts": `interface Thing { readonly name: string }
        // A line that is gone from what runs.
        type Other = Thing;

        function deep(thing: Other): never {
          throw new Error("of " + thing.name);
        }
        export default () => deep({ name: "the author" });`,
    },
    {
      settings: {
        functions: { ...limits, functionsAllowedHosts: [gate.host] },
        http: { requestTimeoutMs: 300 },
      },
    },
  );
});
afterAll(async () => {
  await app?.stop();
  gate?.close();
});

const textOf = async (response: Response): Promise<unknown[]> => [response.status, await response.text()];
const codeOf = async (response: Response): Promise<unknown[]> => [
  response.status,
  ((await response.json()) as { code: string }).code,
  response.headers.get("x-relay-error"),
];

describe("a start", () => {
  test("is not held up by functions that load: the rest answers, and who calls one waits for it", async () => {
    await expect.poll(() => gate.waiting("/loads")).toBe(1);
    const rest = await fetch(`${app.url}/rest/v1/`, { headers: { apikey: app.serviceRoleKey } });
    expect(rest.status).toBe(200);
    gate.open("/loads");
    gate.leaveOpen("/loads");
    await expect.poll(async () => textOf(await app.call("loads"))).toEqual([200, "loaded"]);
  });

  test("loads more functions than there may be threads", async () => {
    for (const name of ["hello", "loads"]) expect((await app.call(name)).status, name).toBe(200);
    expect(await textOf(await app.call("size", { method: "POST", body: "four" }))).toEqual([200, "4"]);
  });

  test("tries again what could not be loaded", async () => {
    expect(await codeOf(await app.call("sometimes"))).toEqual([503, "BOOT_ERROR", "true"]);
    gate.leaveOpen("/sometimes");
    await expect.poll(async () => textOf(await app.call("sometimes")), { timeout: 15_000 }).toEqual([200, "here"]);
  });
});

describe("threads", () => {
  test("are shared by invocations that wait, where the function says so", async () => {
    const answers = await Promise.all([1, 2, 3].map(async () => (await app.call("shared")).text()));
    expect(answers).toEqual(["of 3", "of 3", "of 3"]);
  });

  test("are given to a function that has none, whatever others have", async () => {
    const held = [1, 2, 3].map(async () => (await app.call("held")).text());
    await expect.poll(() => gate.waiting("/held")).toBe(3);
    // A fourth waits there, too; the next place is not for it.
    const fourth = app.call("held").then((response) => response.text());
    const hello = app.call("hello").then((response) => response.text());
    gate.open("/held", 1);
    expect(await hello).toBe("hello");
    expect(gate.waiting("/held")).toBe(2);
    gate.leaveOpen("/held");
    expect(await Promise.all([...held, fourth])).toEqual(["held", "held", "held", "held"]);
  });

  test("have a queue that ends", async () => {
    const first = app.call("one").then(textOf);
    await expect.poll(() => gate.waiting("/one")).toBe(1);
    const others = Array.from({ length: 6 }, () => app.call("one"));
    // Four may wait.
    const refused = await Promise.race(others);
    expect([refused.status, refused.headers.get("retry-after"), refused.headers.get("x-relay-error")]).toEqual([
      503,
      "1",
      "true",
    ]);
    gate.leaveOpen("/one");
    expect(await first).toEqual([200, "one"]);
    expect((await Promise.all(others)).map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 503, 503]);
  });
});

describe("time", () => {
  test("an endpoint has its own limit, and not that of other requests", async () => {
    expect(await textOf(await app.call("long"))).toEqual([200, "in the end"]);
    expect(await codeOf(await app.call("brief"))).toEqual([546, "WORKER_LIMIT", "true"]);
  });
});

describe("sizes", () => {
  test("a request that is longer than it may be is refused, announced or not", async () => {
    const body = "x".repeat(1_001);
    expect((await app.call("size", { method: "POST", body })).status).toBe(413);
    const stream = new Blob([body]).stream();
    const init = { method: "POST", body: stream, duplex: "half" } as RequestInit;
    // The function reads it as it comes, and may have failed with it first.
    expect([413, 500]).toContain((await app.call("size", init)).status);
    expect(await textOf(await app.call("size", { method: "POST", body: body.slice(1) }))).toEqual([200, "1000"]);
  });

  test("an answer that does not fit a frame arrives, and one that is too long does not", async () => {
    const large = await app.call("many?n=18000000");
    expect([large.status, (await large.bytes()).length]).toEqual([200, 18_000_000]);
    const response = await app.call("many?n=20000001");
    await expect(response.bytes()).rejects.toThrow();
    expect(await textOf(await app.call("hello"))).toEqual([200, "hello"]);
  });
});

describe("an error", () => {
  test("has the author's file and line in its stack", async () => {
    expect((await app.call("throws")).status).toBe(500);
    const finished = () =>
      app.observations.findLast((one) => one.kind === "functions.run-finished" && one.functionName === "throws");
    await expect.poll(finished).toBeDefined();
    const { error } = finished() as { readonly error: Error };
    expect(error.message).toBe("of the author");
    expect(error.stack).toMatch(/functions\/throws\.ts:6:\d+/);
    expect(error.stack).toMatch(/functions\/throws\.ts:8:\d+/);
  });
});

describe("the process", () => {
  test("that answers nobody is started anew", async () => {
    const before = functionsPid();
    const held = app.call("brief");
    process.kill(before, "SIGSTOP");
    expect((await held).status).toBeGreaterThanOrEqual(500);
    // Something has to wait for it: a process that has nothing to do is asked nothing.
    await expect.poll(async () => (await app.call("hello")).status, { timeout: 20_000 }).toBe(200);
    expect(functionsPid()).not.toBe(before);
    expect(app.observations).toContainEqual(
      expect.objectContaining({ kind: "functions.process-died", signal: "SIGKILL" }),
    );
  });
});

describe("a stop", () => {
  test("waits for what runs", async () => {
    const last = app.call("last").then(textOf);
    await expect.poll(() => gate.waiting("/last")).toBe(1);
    const stopped = app.server.stop();
    // Nobody comes in any more, and who is in is not sent away.
    await expect(app.call("hello").then(({ status }) => status)).rejects.toThrow();
    gate.open("/last");
    expect(await last).toEqual([200, "last"]);
    await stopped;
  });
});

function functionsPid(): number {
  const lines = execFileSync("ps", ["-o", "pid=,args=", "--ppid", String(process.pid)], { encoding: "utf8" });
  return Number.parseInt(lines.split("\n").find((line) => line.includes("/supervisor"))!, 10);
}
