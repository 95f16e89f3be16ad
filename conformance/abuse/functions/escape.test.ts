import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ann, bob } from "../app.ts";
import { canary, type FunctionsServer, startFunctions } from "./server.ts";

/** Runs what is sent to it, as somebody's code would be: the last expression is the answer. */
const run = `
import * as fs from "node:fs"; import net from "node:net"; import http from "node:http"; import vm from "node:vm"; import * as workers from "node:worker_threads";
import * as child from "node:child_process"; import * as inspector from "node:inspector"; import { createRequire } from "node:module"; import * as os from "node:os"; import v8 from "node:v8";
const all = { fs, net, http, vm, workers, child, inspector, require: createRequire("file:///x.js"), os, v8 };
const AsyncFunction = (async () => {}).constructor;
export default async (request, ctx) => {
  try {
    const value = await new AsyncFunction("all", "ctx", "request", await request.text())(all, ctx, request);
    return Response.json({ value: value === undefined ? null : value });
  } catch (error) { return Response.json({ threw: String(error?.code ?? error?.message ?? error) }); }
};`;

let app: FunctionsServer;
beforeAll(async () => {
  app = await startFunctions(
    {
      "run.ts": run,
      "other.ts": `let n = 0; export default (request, ctx) => Response.json({ n: ++n, user: ctx.user?.id ?? null, polluted: ({}).polluted ?? null, secret: globalThis.stolen ?? null });`,
      "hold.ts": `const kept = []; globalThis.last = null;
        export default async (request, ctx) => {
          const before = globalThis.last; globalThis.last = ctx;
          const said = before === null ? null : await before.jobs.enqueue("charge", {}).then(() => "served", (e) => e.message);
          return Response.json({ user: ctx.user?.id ?? null, said });
        };`,
      "late.ts": `export default (request, ctx) => {
          setTimeout(() => { console.log("late line"); ctx.jobs.enqueue("charge", {}).then(() => console.log("served late"), () => console.log("refused late")); }, 50);
          return new Response("answered");
        };`,
      "flood.ts": `export default () => { for (let i = 0; i < 20000; i++) console.log("x".repeat(1000)); return new Response("flooded"); };`,
      "wide.ts": `export default () => { console.log("y".repeat(5_000_000)); return new Response("wide"); };`,
      "giant.ts": `export default () => new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(65536)); } }));`,
      "strings.ts": `export default () => { const all = []; for (let i = 0; ; i++) all.push(("s" + i).repeat(100_000) + i); };`,
      "wasm.ts": `export default () => { const all = []; for (;;) { const m = new WebAssembly.Memory({ initial: 1000 }); new Uint8Array(m.buffer).fill(1); all.push(m); } };`,
      "array-buffers.ts": `export default async () => { const all = []; for (;;) { all.push(new Uint8Array(new ArrayBuffer(16_000_000)).fill(1)); await null; } };`,
      "promises.ts": `export default () => { const all = []; const go = () => { for (let i = 0; i < 1000; i++) all.push(new Promise(() => {}).then(go)); queueMicrotask(go); }; go(); return new Promise(() => {}); };`,
      "deep.ts": `export default () => { const deep = () => deep() + 1; return new Response(String(deep())); };`,
      "regex.ts": `export default () => new Response(String(/^(a+)+$/.test("a".repeat(60) + "b")));`,
      "answers.ts": `export default async (request) => {
          const kind = new URL(request.url).searchParams.get("kind");
          const like = (status, headers) => ({ status, headers, body: null, bodyUsed: false, arrayBuffer() {} });
          if (kind === "nothing") return undefined;
          if (kind === "error") return Response.error();
          if (kind === "status") return like(101, []);
          if (kind === "number") return like(99999, []);
          if (kind === "split") return like(200, [["x-a", "b\\r\\nset-cookie: session=stolen\\r\\n\\r\\nHTTP/1.1 200 OK"]]);
          if (kind === "name") return like(200, [["x-a\\r\\nset-cookie", "b"]]);
          if (kind === "nul") return like(200, [["x-a", "b\\0set-cookie\\0session=stolen"]]);
          if (kind === "hop") return new Response("ok", { headers: { connection: "upgrade", upgrade: "h2c", "transfer-encoding": "chunked", "content-length": "1", "x-request-id": "forged", "keep-alive": "x", trailer: "x-t" } });
          return new Response("ok");
        };`,
      "takes-over.ts": takesOver(),
    },
    {
      settings: {
        functions: {
          functionsBlockedMs: 500,
          functionsMemoryMb: 48,
          functionsProcessMemoryMb: 768,
          functionsGraceMs: 300,
          functionsTimeoutMs: 8_000,
          functionsResponseLimitBytes: 2_000_000,
        },
      },
    },
  );
  await app.call("other");
});
afterAll(() => app?.stop());

/** Whatever it can reach of its thread's socket, by the methods that are called on it, and speaks there itself. */
function takesOver(): string {
  return `import net from "node:net"; import { Writable, Duplex } from "node:stream";
const found = new Set();
for (const prototype of [net.Socket.prototype, Writable.prototype, Duplex.prototype])
  for (const name of ["write", "cork", "_writeGeneric", "_write", "_writev", "uncork"]) {
    const real = prototype[name];
    if (typeof real === "function") prototype[name] = function (...given) { found.add(this); return real.apply(this, given); };
  }
const frame = (kind, number, payload) => { const body = Buffer.from(payload ?? ""); const head = Buffer.alloc(9); head.writeUInt32LE(body.length + 5); head[4] = kind; head.writeUInt32LE(number, 5); return Buffer.concat([head, body]); };
export default async (request) => {
  const { bytes, kind, number, payload, times } = await request.json();
  await fetch("http://refused.invalid").catch(() => {});
  console.log("so that something is written"); await new Promise((r) => setTimeout(r, 20));
  const sockets = [...found].filter((one) => one instanceof net.Socket && !one.destroyed);
  for (const socket of sockets) for (let i = 0; i < (times ?? 1); i++) socket.write(bytes === undefined ? frame(kind, number, payload) : Buffer.from(bytes));
  await new Promise((r) => setTimeout(r, 300));
  return Response.json({ sockets: sockets.length });
};`;
}

const codeOf = async (path: string): Promise<readonly unknown[]> => {
  const answer = await app.call(path);
  return [answer.status, (JSON.parse(answer.text) as { code: string }).code];
};
const limited = [546, "WORKER_LIMIT"];
const works = async (): Promise<void> => {
  const answer = await app.call("other");
  expect([answer.status, answer.text.includes('"user":null')]).toEqual([200, true]);
};
const outcome = async (code: string): Promise<string> => (await app.call("run", { body: code })).text;

describe("X23 what a function may not have", () => {
  const reads = [
    `return process.env`,
    `return { ...process.env, ...(await import("node:process")).default.env }`,
    `return all.fs.readFileSync("../../.env", "utf8")`,
    `return all.fs.readFileSync(${JSON.stringify("PROJECT/.env")}, "utf8")`,
    `return all.fs.readdirSync(${JSON.stringify("PROJECT/.mainstay")})`,
    `return all.fs.readdirSync(${JSON.stringify("PROJECT/.mainstay/keys")})`,
    `return all.fs.readFileSync("/etc/passwd", "utf8")`,
    `return all.fs.readFileSync("/proc/self/environ", "utf8")`,
    `return all.fs.readFileSync("/proc/" + process.ppid + "/environ", "utf8")`,
    `return all.fs.readFileSync("/proc/self/maps", "utf8")`,
    `return all.fs.readdirSync("/proc/self/fd")`,
    `return all.fs.readdirSync("/")`,
    `return (await all.fs.promises.open("/proc/self/mem")).fd`,
    `return all.fs.readlinkSync("/proc/self/exe")`,
    `return all.fs.symlinkSync("/etc/passwd", "/tmp/mainstay-link")`,
    `return all.fs.writeFileSync("/tmp/mainstay-written", "x")`,
    `return await new Promise((done, failed) => all.fs.createReadStream("/etc/passwd").on("data", (d) => done(String(d))).on("error", failed))`,
    `return await fetch("file:///etc/passwd").then((r) => r.text())`,
    `return (await import("file:///etc/passwd")).default`,
  ];
  test("X23 environments, files and keys of the server are not read, and nothing is written", async () => {
    for (const code of reads) {
      const text = await outcome(code.replaceAll("PROJECT", app.projectDir));
      expect.soft(text, code).not.toContain(canary);
      expect.soft(text, code).not.toMatch(/root:|MAINSTAY_|postgres:\/\/|PRIVATE KEY|"PATH"/);
      if (!code.includes("process.env")) expect.soft(text, code).toContain('"threw"');
    }
    const { value } = JSON.parse(await outcome("return Object.keys(process.env)")) as { value: string[] };
    expect(value.filter((name) => !/^(?:SUPABASE_|HOOK_SECRET$)/.test(name))).toEqual([]);
  });

  test.each([
    ["a process", `return all.child.execSync("id").toString()`],
    ["a process by spawn", `return all.child.spawn("id").pid`],
    ["a copy of itself", `return all.child.fork("/x.js").pid`],
    ["a thread", `return new all.workers.Worker("1", { eval: true }).threadId`],
    ["its parent", `return all.workers.parentPort.postMessage("x")`],
    [
      "a server",
      `return await new Promise((done, failed) => all.http.createServer().on("error", failed).listen(0, () => done("listens")))`,
    ],
    [
      "a local socket",
      `return await new Promise((done, failed) => all.net.connect("/var/run/docker.sock").on("error", failed).on("connect", () => done("reached")))`,
    ],
    ["a debugger", `return all.inspector.open(0)`],
    ["a session of the inspector", `return new all.inspector.Session().connect()`],
    ["an addon", `return process.dlopen({ exports: {} }, "/x.node")`],
    ["an addon by require", `return all.require("/tmp/x.node")`],
    ["bindings", `return Object.keys(process.binding("spawn_sync"))`],
    ["a signal", `return process.kill(process.ppid, 9)`],
    ["a signal to itself", `return process.kill(process.pid, "SIGKILL")`],
    ["flags of the engine", `return all.v8.setFlagsFromString("--allow-natives-syntax")`],
    ["a heap snapshot", `return all.v8.writeHeapSnapshot("/tmp/x.heapsnapshot")`],
    ["a database in a file", `return new (all.require("node:sqlite").DatabaseSync)("/tmp/x.sqlite")`],
    [
      "another's memory",
      `return all.vm.runInNewContext("this.constructor.constructor('return process')()").mainModule.require("child_process").execSync("id").toString()`,
    ],
  ])("X23 %s", async (_what, code) => {
    expect(await outcome(code)).toContain('"threw"');
    await works();
  });
});

describe("X23 what a function may not take", () => {
  test.each(["strings", "wasm", "array-buffers", "promises", "regex"])("X23 by %s: it ends alone", async (name) => {
    const [status, code] = await codeOf(name);
    expect([limited, [500, "WORKER_ERROR"]]).toContainEqual([status, code]);
    await expect.poll(async () => (await app.call("other")).status).toBe(200);
  });

  test("X23 X09 by recursion: it throws, and is asked again", async () => {
    for (let i = 0; i < 3; i++) expect(await codeOf("deep")).toEqual([500, "INTERNAL_ERROR"]);
  });

  test("X23 more lines than it may write, or longer ones", async () => {
    expect((await app.call("flood")).text).toBe("flooded");
    expect((await app.call("wide")).text).toBe("wide");
    await expect.poll(() => app.lines().some(({ functionName }) => functionName === "wide")).toBe(true);
    const flood = app.lines().filter(({ functionName }) => functionName === "flood");
    expect(flood.length).toBeLessThanOrEqual(1_001);
    expect(flood.at(-1)!.message).toContain("dropped");
    const wide = app.lines().filter(({ functionName }) => functionName === "wide");
    expect(Math.max(...wide.map(({ message }) => message.length))).toBeLessThan(20_000);
  });

  test("X23 an answer without end is cut, and no answer that was cut looks whole", async () => {
    await expect(app.call("giant")).rejects.toThrow();
    await works();
  });
});

describe("X24 X23 what one invocation leaves for the next", () => {
  test("X24 changed prototypes and globals stay in their own function", async () => {
    await outcome(`Object.prototype.polluted = "yes"; Array.prototype.map = () => ["mine"]; JSON.stringify = () => '{"mine":1}';
      Promise.prototype.then = function () { throw new Error("mine"); }; globalThis.stolen = process.env; Map.prototype.get = () => "mine"; String.prototype.split = () => [];`).catch(
      () => {},
    );
    const before = app.failures();
    for (const as of [app.anonKey, ann, bob]) {
      const answer = await app.call("other", { as });
      expect(JSON.parse(answer.text)).toMatchObject({ polluted: null, secret: null });
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(app.failures()).toEqual(before);
  });

  test("X24 B04 each caller is who it is, in every thread and order", async () => {
    const callers = [ann, bob, app.anonKey];
    const ids = ["6f0c8d2e-0000-4000-8000-00000000000a", "6f0c8d2e-0000-4000-8000-00000000000b", null];
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, n) => app.call("other", { as: callers[n % 3]! })),
    );
    expect(answers.filter(({ text }, n) => JSON.parse(text).user !== ids[n % 3])).toEqual([]);
  });

  test("X24 a context that was kept is nobody's any more", async () => {
    const first = JSON.parse((await app.call("hold", { as: ann })).text);
    expect(first).toEqual({ user: "6f0c8d2e-0000-4000-8000-00000000000a", said: null });
    const second = JSON.parse((await app.call("hold", { as: bob })).text);
    expect(second.user).toBe("6f0c8d2e-0000-4000-8000-00000000000b");
    expect([null, expect.stringContaining("over")]).toContainEqual(second.said);
    expect(await app.sql("select from mainstay.jobs where name = 'charge'")).toEqual([]);
  });

  test("X23 timers after the answer are served nothing", async () => {
    expect((await app.call("late")).text).toBe("answered");
    await expect
      .poll(() => app.lines().some(({ message }) => message === "refused late" || message === "served late"))
      .toBe(true);
    expect(app.lines().some(({ message }) => message === "served late")).toBe(false);
    expect(await app.sql("select from mainstay.jobs where name = 'charge'")).toEqual([]);
  });
});

describe("X08 what a function answers", () => {
  test.each(["nothing", "error", "status", "number", "split", "name", "nul"])(
    "X08 is an answer or none: %s",
    async (kind) => {
      const answer = await app.call(`answers?kind=${kind}`);
      expect(answer.status).toBe(500);
      expect(answer.headers["set-cookie"]).toBeUndefined();
      expect(JSON.parse(answer.text)).toMatchObject({ code: "INTERNAL_ERROR" });
      expect((await app.call("answers")).text).toBe("ok");
    },
  );

  test("X08 says nothing of the connection, nor in the server's name", async () => {
    const { headers, text } = await app.call("answers?kind=hop");
    expect(text).toBe("ok");
    expect(headers).not.toHaveProperty("upgrade");
    expect(headers).not.toHaveProperty("trailer");
    expect(headers.connection).not.toBe("upgrade");
    expect(headers["x-request-id"]).not.toBe("forged");
  });
});

describe("X23 X24 a function that speaks for its thread", () => {
  const words: readonly (readonly [string, object])[] = [
    ["bytes that are nothing", { bytes: "GET / HTTP/1.1\r\n\r\n" }],
    ["a kind that is none", { kind: 99, number: 1 }],
    ["a length beyond all", { bytes: [255, 255, 255, 255, 1, 0, 0, 0, 0] }],
    ["answers for all numbers", { kind: 7, number: 2, payload: "\u0000\u0000" }],
    [
      "calls without end",
      {
        kind: 11,
        number: 0x8000_0000,
        payload: '\u0001\u0000\u0000\u0000["jobs.enqueue",["charge",{}]]',
        times: 5_000,
      },
    ],
    [
      "lines of others",
      { kind: 20, number: 9_999, payload: '["request-of-another","error","forged",1,{}]', times: 1_000 },
    ],
    [
      "what it has loaded, once more",
      { kind: 2, number: 0, payload: '{"definitions":[{"index":0,"kind":"http","options":{}}]}' },
    ],
  ];
  test.each(words)("X23 X24 %s: it ends, at most, and alone", async (_what, said) => {
    const { sockets } = await app.ask<{ sockets: number }>("takes-over", { bytes: [] });
    expect(sockets, "its thread's own").toBe(1);
    const others = Promise.all(Array.from({ length: 20 }, () => app.call("other").then(({ status }) => status)));
    const answer = await app.call("takes-over", { json: said });
    expect([200, 500, 503, 546]).toContain(answer.status);
    expect(new Set(await others)).toEqual(new Set([200]));
    expect(app.lines().filter(({ id, message }) => id === "request-of-another" || message === "forged")).toEqual([]);
    await expect.poll(async () => (await app.call("takes-over", { json: { bytes: [] } })).status).toBe(200);
  });
});
