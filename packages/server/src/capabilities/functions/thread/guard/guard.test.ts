import { afterEach, describe, expect, test } from "vitest";
import { openThread, type TestThread, testInit } from "../harness.testing.ts";

const threads: TestThread[] = [];
afterEach(async () => {
  await Promise.all(threads.splice(0).map((thread) => thread.stop()));
});

/** What comes of a piece of code in a function: its value, or the code of what it throws. */
async function evaluate(bodies: readonly string[]): Promise<unknown[]> {
  const thread = await openThread(`
    import * as namespaces from "node:child_process"; import { Worker } from "node:worker_threads"; import { createRequire } from "node:module"; import vm from "node:vm";
    const require = createRequire("file:///nowhere/x.js");
    const get = process.getBuiltinModule;
    const attempts = [${bodies.map((body) => `async () => { ${body} }`).join(",")}];
    export default async () => {
      const results = [];
      for (const attempt of attempts) { try { results.push((await attempt()) ?? null); } catch (error) { results.push(error.code ?? error.name); } }
      return Response.json(results);
    };`);
  threads.push(thread);
  const outcome = await thread.request();
  if (!("status" in outcome)) throw new Error(JSON.stringify(outcome));
  return JSON.parse(outcome.body!) as unknown[];
}

describe("X23 what is not for functions", () => {
  const refused = [
    `namespaces.spawn("true")`,
    `namespaces.default.execSync("true")`,
    `new namespaces.ChildProcess()`,
    `require("child_process").fork("x")`,
    `(await import("node:child_process")).exec("true")`,
    `get("child_process").spawnSync("true")`,
    `vm.runInThisContext("process").getBuiltinModule("child_process").spawn("true")`,
    `vm.runInNewContext("p.getBuiltinModule('child_process').spawn('true')", { p: process })`,
    `new Worker("1", { eval: true })`,
    `new (require("worker_threads").Worker)("1", { eval: true })`,
    `get("worker_threads").postMessageToThread(0, 1)`,
    `get("module").register("data:text/javascript,1")`,
    `get("cluster").fork()`,
    `get("inspector").open(0)`,
    `new (get("inspector").Session)().connectToMainThread()`,
    `new (get("inspector/promises").Session)()`,
    `get("dgram").createSocket("udp4")`,
    `new (get("dgram").Socket)("udp4")`,
    `new (get("node:sqlite").DatabaseSync)(":memory:")`,
    `new (get("wasi").WASI)({ version: "preview1" })`,
    `get("v8").setFlagsFromString("--expose-gc")`,
    `get("v8").writeHeapSnapshot()`,
    `get("os").setPriority(0, 19)`,
    `process.binding("tcp_wrap")`,
    `process._linkedBinding("x")`,
    `process.dlopen({}, "x")`,
    `process.kill(process.ppid, 0)`,
    `process._kill(1, 0)`,
    `process._debugProcess(1)`,
    `process.abort()`,
    `process.chdir("/")`,
    `process.setuid(0)`,
    `process.umask(0)`,
    `process.execve?.("/bin/true") ?? process.chdir("/")`,
    `process.exit(0)`,
    `process.setUncaughtExceptionCaptureCallback(() => {})`,
    `Deno.exit(1)`,
    `class Mine extends Worker {}; new Mine("1", { eval: true })`,
  ];

  test("throws", async () => {
    const results = await evaluate(refused.map((body) => `${body}; return "done";`));
    expect(
      refused.filter((_, at) => results[at] !== "ERR_ACCESS_DENIED").map((body, at) => `${body}: ${results[at]}`),
    ).toEqual([]);
  });

  test("cannot be had back", async () => {
    const results = await evaluate([
      `return Worker.prototype.constructor === Worker`,
      `return Object.getPrototypeOf(Worker) === Function.prototype`,
      `delete process.kill; return typeof process.kill`,
      `delete require("child_process").spawn; return typeof require("child_process").spawn`,
      // Out of another realm leads a way to this one, and no further.
      `return vm.runInNewContext("this.constructor.constructor('return process')()") === process`,
    ]);
    expect(results).toEqual([true, true, "undefined", "undefined", true]);
  });
});

describe("X23 what a function can see", () => {
  test("is its own environment, and nothing of the server's or the machine's", async () => {
    const results = await evaluate([
      `return { ...process.env }`,
      `return process.env.LEFTOVER`,
      `return [process.argv, process.execArgv, process.execPath, process.pid, process.ppid, process.title, process.report]`,
      `return [get("worker_threads").parentPort, get("worker_threads").workerData]`,
      `return [process._getActiveHandles().length, process._getActiveRequests().length]`,
      `const os = get("os"); return [os.hostname(), os.homedir(), os.networkInterfaces(), os.userInfo().username]`,
    ]);
    expect(results).toEqual([
      testInit.environment,
      null,
      [["node", "function.mjs"], [], "node", 1, 0, "function", null],
      [null, null],
      [0, 0],
      ["function", "/", {}, "function"],
    ]);
  });

  test("is no open file of others, by whatever call", async () => {
    const uses = [
      `fs.writeSync(1, "x")`,
      `fs.readSync(1, Buffer.alloc(1))`,
      `fs.closeSync(1)`,
      `fs.close(1, () => {})`,
      `fs.writeFileSync(1, "x")`,
      `fs.readFileSync(1)`,
      `fs.fstatSync(1)`,
      `fs.createWriteStream("", { fd: 1 })`,
      `new fs.WriteStream("", { fd: 1 })`,
      `fs.createReadStream("", { get fd() { return 1; } })`,
      `(await import("node:fs")).writevSync(1, [Buffer.from("x")])`,
    ];
    const results = await evaluate(uses.map((use) => `const fs = get("fs"); ${use}; return "done";`));
    expect(results).toEqual(uses.map(() => "EBADF"));
  });

  test("is what it has opened itself", async () => {
    const file = JSON.stringify(import.meta.filename);
    expect(
      await evaluate([
        `const fs = get("fs"); const own = fs.openSync(${file}); const read = fs.readSync(own, Buffer.alloc(6)); fs.closeSync(own); return read;`,
        `const fs = get("fs"); const own = fs.openSync(${file}); fs.closeSync(own); fs.readSync(own, Buffer.alloc(6));`,
        `return (await get("fs").promises.readFile(${file}, "utf8")).slice(0, 6)`,
        `let text = ""; for await (const part of get("fs").createReadStream(${file}, "utf8")) text += part; return text.slice(0, 6);`,
        `return (await get("util").promisify(get("fs").open)(${file}, "r")) > 0`,
        `return get("fs").existsSync(${file}) && await get("util").promisify(get("fs").exists)(${file})`,
        `return get("fs").createReadStream(${file}).on("error", () => {}) instanceof get("fs").ReadStream`,
      ]),
    ).toEqual([6, "EBADF", "import", "import", true, true, true]);
  });
});
