import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

// A workspace of its own around a copy of the launcher: its own lock file, its own tasks' files, its own node_modules.
let root: string;
const started: ChildProcess[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "launcher-"));
  await cp(import.meta.dirname, join(root, "tools", "launcher"), { recursive: true });
  await cp(join(import.meta.dirname, "..", "run.mjs"), join(root, "tools", "run.mjs"));
  await file("package.json", JSON.stringify({ name: "fixture", version: "1.0.0", private: true }));
  await lock({});
  await file("bench/run.ts", 'const says: string = "ran " + process.argv.slice(2).join(" "); console.log(says);');
});

afterEach(async () => {
  for (const child of started.splice(0))
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  await rm(root, { recursive: true, force: true });
});

describe("installing", () => {
  it("installs on the first start, and not on the second", async () => {
    const first = await run(["bench", "a", "b"]);
    expect(first).toMatchObject({ code: 0, out: "ran a b\n" });
    expect(first.err).toContain("(first start)");
    const second = await run(["bench"]);
    expect(second).toMatchObject({ code: 0, out: "ran \n", err: "" });
  });

  it("installs again when the lock file changes", async () => {
    await run(["bench"]);
    await file("package.json", JSON.stringify({ name: "fixture", version: "1.0.1", private: true }));
    await lock({}, "1.0.1");
    expect((await run(["bench"])).err).toContain("(package-lock.json changed)");
  });

  it("installs again after an install that did not finish", async () => {
    await mkdir(join(root, "node_modules", "half"), { recursive: true });
    expect((await run(["bench"])).err).toContain("(the last install did not finish)");
  });

  it("takes what `npm ci` by hand has finished", async () => {
    await lock({
      "node_modules/left": { version: "1.0.0" },
      "node_modules/other-os": { version: "1.0.0", os: ["plan9"] },
    });
    await file("node_modules/left/package.json", "{}");
    await file(
      "node_modules/.package-lock.json",
      JSON.stringify({ packages: { "node_modules/left": { version: "1.0.0" } } }),
    );
    expect(await run(["bench"], { env: { PATH: "" } })).toMatchObject({ code: 0, err: "" });
    await file("node_modules/.mainstay-installed", "for another lock file");
    await file(
      "node_modules/.package-lock.json",
      JSON.stringify({ packages: { "node_modules/left": { version: "0.9.0" } } }),
    );
    expect(await run(["bench"], { env: { PATH: "", npm_execpath: "" } })).toMatchObject({ code: 1 });
  });

  it("lets the second of two wait for the first", async () => {
    const npm = await fakeNpm(
      'while (!fs.existsSync("go")) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);',
    );
    const first = run(["bench"], { env: { npm_execpath: npm } });
    await until(async () => (await text("npm-runs")) === "x");
    const second = start(["bench"], { env: { npm_execpath: npm } });
    const ended = outputOf(second);
    // Only now the first may go on.
    await saying(second, "Another install is running here");
    await file("go", "");
    expect((await first).code).toBe(0);
    expect(await ended).toMatchObject({ code: 0, out: "ran \n" });
    expect(await text("npm-runs")).toBe("x");
  });

  it("is not held up by the lock of a process that is gone, nor by a recycled pid", async () => {
    const gone = spawn(process.execPath, ["-e", ""]);
    await once(gone, "exit");
    await file(".mainstay/install.lock", `${gone.pid} 12345\n`);
    expect((await run(["bench"])).code).toBe(0);
    await rm(join(root, "node_modules"), { recursive: true });
    await file(".mainstay/install.lock", `${process.pid} 1\n`);
    if (process.platform === "linux") expect((await run(["bench"])).code).toBe(0);
  });

  it("leaves no stamp behind when it is interrupted", async () => {
    const npm = await fakeNpm("setTimeout(() => {}, 60_000);");
    const child = start(["bench"], { env: { npm_execpath: npm } });
    await until(async () => (await text("npm-runs")) === "x");
    child.kill("SIGINT");
    expect(await exitOf(child)).toBe(130);
    expect(await text("node_modules/.mainstay-installed")).toBeNull();
    expect(await text(".mainstay/install.lock")).toBeNull();
  });

  it("shows what npm said, and why, when it fails", async () => {
    await file("package.json", JSON.stringify({ name: "fixture", version: "1.0.0", dependencies: { gone: "1.0.0" } }));
    const { code, err } = await run(["bench"], {
      env: { npm_config_fetch_retries: "0", npm_config_registry: "http://127.0.0.1:9" },
    });
    expect(code).toBe(1);
    expect(err).toContain("npm error");
    expect(err).toMatch(/npm could not reach|package\.json and package-lock\.json disagree/);
    expect(await text(".mainstay/npm-install.log")).toContain("npm error");
  });

  it("says that the registry is out of reach", async () => {
    const dependencies = { gone: "1.0.0" };
    await file("package.json", JSON.stringify({ name: "fixture", version: "1.0.0", dependencies }));
    await lock(
      { "node_modules/gone": { version: "1.0.0", resolved: "http://127.0.0.1:9/gone-1.0.0.tgz" } },
      "1.0.0",
      dependencies,
    );
    const { code, err, out } = await run(["bench"], {
      env: { npm_config_fetch_retries: "0", npm_config_registry: "http://127.0.0.1:9" },
    });
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain("npm could not reach the package registry");
    expect(err).not.toContain("EBADENGINE");
  });

  it("says what to do without npm", async () => {
    const { code, err } = await run(["bench"], { env: { PATH: "", npm_execpath: "" } });
    expect(code).toBe(1);
    expect(err).toMatch(/^npm is not installed: .+\n$/);
  });

  it.skipIf(process.getuid?.() === 0)("says what to do in a folder it may not write", async () => {
    await chmod(root, 0o555);
    const { code, err } = await run(["bench"]);
    await chmod(root, 0o755);
    expect(code).toBe(1);
    expect(err).toContain("is not writable");
  });
});

describe("running", () => {
  it("passes the exit code on", async () => {
    await file("bench/run.ts", "process.exit(37);");
    expect((await run(["bench"])).code).toBe(37);
  });

  it("names the tasks when it does not know one", async () => {
    const { code, err } = await run(["strat"]);
    expect(code).toBe(2);
    expect(err).toContain('no task "strat"');
    expect(err).toContain("  start ");
  });

  it("stops at the first command that fails", async () => {
    await file("node_modules/@biomejs/biome/bin/biome", "process.exit(3);");
    for (const path of [
      "node_modules/typescript/bin/tsc",
      "node_modules/vitest/vitest.mjs",
      "tools/generate-docs.ts",
    ]) {
      await file(path, 'console.log("went on");');
    }
    await file("node_modules/.package-lock.json", JSON.stringify({ packages: {} }));
    expect(await run(["check"])).toMatchObject({ code: 3, out: "" });
  });

  it("has a script of its name for every task", async () => {
    const manifest = JSON.parse(await readFile(join(import.meta.dirname, "../../package.json"), "utf8"));
    const { err } = await run(["help"]);
    const tasks = [...err.matchAll(/^ {2}([a-z]+) {2}/gm)].map(([, name]) => name);
    expect(tasks).toContain("demo");
    expect(manifest.scripts).toEqual(Object.fromEntries(tasks.map((name) => [name, `node tools/run.mjs ${name}`])));
  });

  it("serves the example unless a project is named", async () => {
    await file("packages/cli/bin/mainstay.mjs", "console.log(process.argv.slice(2).join(' '));");
    expect((await run(["start", "--port", "0"])).out).toBe("dev --dir examples/roam --port 0\n");
    expect((await run(["start", "--dir=elsewhere"])).out).toBe("dev --dir=elsewhere\n");
  });
});

describe("ending", () => {
  const server = `
    import { writeFileSync } from "node:fs";
    process.on("SIGINT", () => { writeFileSync("stopped", "SIGINT"); process.exit(0); });
    process.on("disconnect", () => { writeFileSync("stopped", "alone"); process.exit(0); });
    setInterval(() => {}, 1000);
    writeFileSync("pid", String(process.pid));`;

  const serve = async () => {
    await file("packages/cli/bin/mainstay.mjs", server);
    const launcher = start(["start"], { detached: true });
    // The file is there before what is in it.
    await until(async () => Number(await text("pid")) > 0);
    return { launcher, pid: Number(await text("pid")) };
  };

  it.each([
    ["the whole group", (pid: number) => process.kill(-pid, "SIGINT")],
    ["the launcher alone", (pid: number) => process.kill(pid, "SIGINT")],
  ])("leaves nothing running after SIGINT to %s", async (_, interrupt) => {
    const { launcher, pid } = await serve();
    interrupt(launcher.pid ?? 0);
    expect(await exitOf(launcher)).toBe(0);
    expect(await text("stopped")).toBe("SIGINT");
    expect(isAlive(pid)).toBe(false);
  });

  it("leaves nothing running when the launcher is killed", async () => {
    const { launcher, pid } = await serve();
    launcher.kill("SIGKILL");
    await until(async () => !isAlive(pid));
    expect(await text("stopped")).toBe("alone");
  });
});

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly detached?: boolean;
}

function start(args: readonly string[], { env = {}, detached = false }: RunOptions = {}): ChildProcess {
  const child = spawn(process.execPath, [join(root, "tools", "run.mjs"), ...args], {
    cwd: root,
    detached,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.push(child);
  return child;
}

const run = (args: readonly string[], options?: RunOptions) => outputOf(start(args, options));

/** All it says, once it has ended. */
async function outputOf(child: ChildProcess): Promise<{ code: number; out: string; err: string }> {
  let out = "";
  let err = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  await once(child, "close");
  return { code: child.exitCode ?? -1, out, err };
}

/** Until it has said so on standard error. */
function saying(child: ChildProcess, words: string): Promise<void> {
  return new Promise((resolve) => {
    let err = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      err += chunk.toString();
      if (err.includes(words)) resolve();
    });
  });
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode;
}

/** An npm that notes each run, does as it is told, then leaves an empty node_modules as npm would. */
async function fakeNpm(work: string): Promise<string> {
  const path = join(root, "npm-cli.js");
  await file(
    "npm-cli.js",
    `const fs = require("node:fs"); fs.appendFileSync("npm-runs", "x"); fs.mkdirSync("node_modules"); ${work}`,
  );
  return path;
}

async function lock(packages: object, version = "1.0.0", dependencies?: object): Promise<void> {
  const entry = { name: "fixture", version, ...(dependencies ? { dependencies } : {}) };
  const content = {
    name: "fixture",
    version,
    lockfileVersion: 3,
    requires: true,
    packages: { "": entry, ...packages },
  };
  await file("package-lock.json", JSON.stringify(content));
}

async function file(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

async function text(path: string): Promise<string | null> {
  return await readFile(join(root, path), "utf8").catch(() => null);
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await sleep(20);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
