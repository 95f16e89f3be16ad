import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FunctionsApp, openFunctionsApp } from "./app.testing.ts";

let app: FunctionsApp;
beforeAll(async () => {
  app = await openFunctionsApp(
    {
      "hello.ts": `export default () => new Response("hello");`,
      "loop.ts": `export default () => { for (;;); };`,
      "later-loop.ts": `export default async () => { await new Promise((r) => setTimeout(r, 10)); for (;;); };`,
      "exit.ts": `export default () => { globalThis.process?.exit?.(0); return new Promise(() => {}); };`,
      "abort.ts": `export default () => { try { globalThis.process?.abort?.(); } catch {} return new Response("still here"); };`,
      "rejects.ts": `export default async () => {
          Promise.reject(new Error("nobody catches this"));
          await new Promise((resolve) => setTimeout(resolve, 500));
          return new Response("too late");
        };`,
      "timer.ts": `export default async () => {
          setTimeout(() => { throw new Error("thrown in a timer"); }, 1);
          await new Promise((resolve) => setTimeout(resolve, 500));
          return new Response("too late");
        };`,
      "heap.ts": `export default () => { const all = []; for (;;) all.push(new Array(1000).fill({ a: Math.random() })); };`,
      "buffers.ts": `export default async () => {
          const all = [];
          for (;;) { all.push(new Uint8Array(8_000_000).fill(1)); await new Promise((r) => setTimeout(r, 5)); }
        };`,
      "giant.ts": `export default () => { const one = new Uint8Array(3_900_000_000); one.fill(1); return new Response(String(one.length)); };`,
      "forever.ts": `import { serve } from "@mainstay/functions";
        export default serve({ timeoutMs: 500 }, () => new Promise(() => {}));`,
      "obedient.ts": `import { serve } from "@mainstay/functions";
        export default serve({ timeoutMs: 20_000 }, (_, { signal }) => {
          console.log("begun");
          return new Promise((resolve) => signal.addEventListener("abort", () => { console.log("told"); resolve(new Response("ended")); }));
        });`,
      "endless.ts": `export default (request) => new Response(new ReadableStream({
          async pull(controller) {
            await new Promise((r) => setTimeout(r, 10));
            controller.enqueue(new Uint8Array(10));
          },
          cancel() { console.log("cancelled " + new URL(request.url).searchParams.get("id")); },
        }));`,
      "slow.ts": `export default async () => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          return new Response("slow");
        };`,
      "mixed.ts": `let n = 0;
        export default async (request) => {
          const { searchParams } = new URL(request.url);
          if (searchParams.has("loop")) for (;;);
          return new Response(searchParams.get("n"));
        };`,
    },
    {
      settings: {
        functions: {
          functionsBlockedMs: 600,
          functionsMemoryMb: 64,
          functionsProcessMemoryMb: 512,
          functionsGraceMs: 3_000,
        },
      },
    },
  );
  await app.call("hello");
});
afterAll(() => app?.stop());

/** Whether another function is answered all along, and how often it was. */
async function others<T>(work: () => Promise<T>): Promise<T> {
  let isOver = false;
  const failures: string[] = [];
  const asking = (async () => {
    while (!isOver) {
      const response = await app.call("hello");
      const text = await response.text();
      if (text !== "hello") failures.push(`${response.status} ${text}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const result = await work();
  isOver = true;
  await asking;
  expect(failures).toEqual([]);
  return result;
}
const codeOf = async (response: Response): Promise<unknown[]> => [
  response.status,
  ((await response.json()) as { code: string }).code,
  response.headers.get("x-relay-error"),
];
const limited = [546, "WORKER_LIMIT", "true"];
const crashed = [500, "WORKER_ERROR", "true"];

describe("X23: code that misbehaves ends alone", () => {
  test("in an endless loop, at once or later", async () => {
    expect(await others(async () => codeOf(await app.call("loop")))).toEqual(limited);
    expect(await others(async () => codeOf(await app.call("later-loop")))).toEqual(limited);
  });

  test("when it exits or aborts", async () => {
    const exit = await others(() => app.call("exit"));
    expect(exit.status).toBeGreaterThanOrEqual(500);
    const abort = await others(() => app.call("abort"));
    expect([200, 500]).toContain(abort.status);
    expect(processDeaths()).toBe(0);
  });

  test("X09: when a promise or a timer throws where nobody catches it", async () => {
    expect(await others(async () => codeOf(await app.call("rejects")))).toEqual(crashed);
    expect(await others(async () => codeOf(await app.call("timer")))).toEqual(crashed);
    const said = app.observations.filter((one) => one.kind === "functions.log").map(({ message }) => message);
    expect(said.join("\n")).toContain("nobody catches this");
    expect(said.join("\n")).toContain("thrown in a timer");
  });

  test("with a heap that grows", async () => {
    expect(await others(async () => codeOf(await app.call("heap")))).toEqual(limited);
    expect(processDeaths()).toBe(0);
  });

  test("with buffers that grow", async () => {
    expect(await others(async () => codeOf(await app.call("buffers")))).toEqual(limited);
    expect(processDeaths()).toBe(0);
  });

  test("with one giant array, and whoever shares the process goes on soon", async () => {
    const response = await app.call("giant");
    expect(response.status).toBeGreaterThanOrEqual(500);
    await expect.poll(async () => (await app.call("hello")).status, { timeout: 10_000 }).toBe(200);
  });

  test("when it never answers", async () => {
    expect(await others(async () => codeOf(await app.call("forever")))).toEqual(limited);
  });

  test("and what had not begun is done elsewhere", async () => {
    // Until several are sent at a time.
    for (let i = 0; i < 100; i++) await (await app.call("mixed?n=1")).text();
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) => app.call(n === 30 ? "mixed?loop" : `mixed?n=${n}`).then((r) => r.status)),
    );
    expect(answers.filter((status) => status === 546)).toHaveLength(1);
    expect(answers.filter((status) => status === 200)).toHaveLength(59);
  });
});

describe("callers who leave", () => {
  const said = (message: string) =>
    app.observations.some((one) => one.kind === "functions.log" && one.message === message);

  test("abort the function's signal", async () => {
    const left = new AbortController();
    const call = app.call("obedient", { signal: left.signal }).catch(() => null);
    await expect.poll(() => said("begun")).toBe(true);
    left.abort();
    await call;
    await expect.poll(() => said("told")).toBe(true);
  });

  // Whether a caller is still there is asked of what lasts only.
  test.each([
    ["that has just begun", 0],
    ["that has lasted", 300],
  ])("end a stream %s", async (_, lastsMs) => {
    const id = crypto.randomUUID();
    const left = new AbortController();
    const response = await app.call(`endless?id=${id}`, { signal: left.signal });
    await response.body!.getReader().read();
    await sleep(lastsMs);
    left.abort();
    await expect.poll(() => said(`cancelled ${id}`)).toBe(true);
  });
});

describe("many at once", () => {
  test("a thousand slow calls are all answered", async () => {
    const statuses = await others(() =>
      Promise.all(
        Array.from({ length: 1_000 }, () => app.call("slow").then(async (r) => `${r.status} ${await r.text()}`)),
      ),
    );
    expect(new Set(statuses)).toEqual(new Set(["200 slow"]));
  });
});

describe("X09: a process that is killed", () => {
  test("under load comes back, and nobody waits for ever", async () => {
    let isOver = false;
    const statuses: number[] = [];
    const callers = Array.from({ length: 8 }, async () => {
      while (!isOver) statuses.push((await app.call("hello")).status);
    });
    for (let i = 0; i < 2; i++) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      process.kill(await functionsPid(), "SIGKILL");
    }
    await expect.poll(async () => (await app.call("hello")).status, { timeout: 15_000 }).toBe(200);
    isOver = true;
    await Promise.all(callers);
    expect(statuses.filter((status) => ![200, 500, 503].includes(status))).toEqual([]);
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(10);
    expect(processDeaths()).toBeGreaterThanOrEqual(2);
  });
});

const processDeaths = (): number => app.observations.filter(({ kind }) => kind === "functions.process-died").length;

/** The only child of this process that runs the supervisor. */
async function functionsPid(): Promise<number> {
  const { execFileSync } = await import("node:child_process");
  const find = (): number | undefined => {
    const lines = execFileSync("ps", ["-o", "pid=,args=", "--ppid", String(process.pid)], { encoding: "utf8" }).split(
      "\n",
    );
    const line = lines.find((one) => one.includes("/supervisor"));
    return line === undefined ? undefined : Number.parseInt(line, 10);
  };
  await expect.poll(find, { timeout: 15_000 }).toBeDefined();
  return find()!;
}
