import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Principal } from "../../../kernel/principal.ts";
import { processCode } from "../build/process-code.ts";
import { functionsSettings } from "../settings.ts";
import type { BuiltFunction, FunctionHost, FunctionSet, Invocation, ProcessCode } from "../types.ts";
import { type Gate, openGate } from "./gate.testing.ts";
import { createFunctionHost } from "./host.ts";

const who: Principal = { role: "anon", subject: null, claims: {} } as unknown as Principal;
const defaults = Object.fromEntries(
  Object.entries(functionsSettings).map(([name, setting]) => [name, setting.default]),
) as unknown as Parameters<typeof createFunctionHost>[0]["settings"];

let folder: string;
let gate: Gate;
let code: ProcessCode;
let secrets: Record<string, string>;
const hosts: FunctionHost[] = [];

beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "functions-host-")));
  gate = await openGate();
  code = (await processCode(folder, () => import("esbuild")))!;
  secrets = {};
});
afterEach(async () => {
  gate.leaveOpen("/held");
  await Promise.all(hosts.splice(0).map((host) => host.stop(AbortSignal.abort())));
  gate.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(settings: Partial<typeof defaults> = {}): FunctionHost {
  const host = createFunctionHost({
    settings: { ...defaults, functionsAllowedHosts: [gate.host], ...settings },
    services: {},
    internalFetch: () => Promise.reject(new Error("There is no server.")),
    surroundings: () => ({
      environment: { ...secrets },
      secretNames: Object.keys(secrets),
      projectUrl: "http://project.test",
      anonKey: "",
      serviceRoleKey: "",
    }),
    readable: [folder, fileURLToPath(new URL("../../..", import.meta.url))],
    observe: () => {},
    onLog() {},
    onOver() {},
  });
  hosts.push(host);
  return host;
}

let written = 0;
/** A function whose module is this, as the build would give it. */
function built(name: string, source: string): BuiltFunction {
  const bundle = join(folder, `${name}-${++written}.mjs`);
  writeFileSync(bundle, source);
  return { name, file: `functions/${name}.ts`, bundle, declared: {} };
}
const setOf = (functions: readonly BuiltFunction[], rest: Partial<FunctionSet> = {}): FunctionSet => ({
  functions,
  diagnostics: [],
  code,
  ...rest,
});

async function ask(host: FunctionHost, functionName: string): Promise<string> {
  const invocation: Invocation = {
    id: "test",
    functionName,
    index: 0,
    who,
    isCalled: true,
    signal: new AbortController().signal,
    timeoutMs: 30_000,
  };
  const { body } = await host.fetch(invocation, { method: "GET", url: "http://h/f", headers: [], body: null });
  return String(body);
}

const secret = `export default () => new Response(process.env.SECRET ?? "none");`;
const held = () =>
  `export default async () => { await fetch("${gate.url}/held"); return new Response(process.env.SECRET ?? "none"); };`;
/** When the thread began, in Unix ms: this milestone is the thread's own. */
const begins = `export default () => new Response(String(performance.timeOrigin + performance.nodeTiming.environment));`;

describe("a reload", () => {
  test("with new secrets starts all anew, and what runs ends as it began", async () => {
    const host = open();
    secrets = { SECRET: "old" };
    const set = setOf([built("says", secret), built("held", held())]);
    await host.load(set);
    const running = ask(host, "held");
    await expect.poll(() => gate.waiting("/held")).toBe(1);
    secrets = { SECRET: "new" };
    // The same functions: of what is as it was nothing is loaded, unless it is said.
    await host.load(set);
    expect(await ask(host, "says")).toBe("old");
    await host.load(set, { isAnew: true });
    expect(await ask(host, "says")).toBe("new");
    gate.leaveOpen("/held");
    expect(await running).toBe("old");
    expect(await ask(host, "held")).toBe("new");
  });

  test("with other folders of packages is in a process that may read them; what runs ends in the old one", async () => {
    const packages = realpathSync(mkdtempSync(join(tmpdir(), "functions-packages-")));
    try {
      mkdirSync(join(packages, "node_modules"));
      writeFileSync(join(packages, "node_modules", "thing.mjs"), `export default "of a package";`);
      const path = join(packages, "node_modules", "thing.mjs");
      const uses = () =>
        built("uses", `import thing from ${JSON.stringify(path)}; export default () => new Response(thing);`);
      const host = open();
      const first = setOf([built("held", held()), uses()]);
      const defined = await host.load(first);
      expect(defined.get("uses")).toMatchObject({
        severity: "error",
        message: expect.stringContaining("--allow-fs-read"),
      });
      const running = ask(host, "held");
      await expect.poll(() => gate.waiting("/held")).toBe(1);
      await host.load({ ...first, packageFolders: [join(packages, "node_modules")] });
      expect(await ask(host, "uses")).toBe("of a package");
      gate.leaveOpen("/held");
      expect(await running).toBe("none");
    } finally {
      rmSync(packages, { recursive: true, force: true });
    }
  });

  test("is served by a thread that was there before, and so is the next", async () => {
    const host = open();
    await host.load(setOf([built("f", begins)]));
    for (let i = 0; i < 2; i++) {
      const before = Number(await ask(host, "f"));
      let begunAtMs = 0;
      // One is prepared behind each load: how soon nobody promises.
      await expect
        .poll(
          async () => {
            const savedAtMs = Date.now();
            await host.load(setOf([built("f", begins)]));
            begunAtMs = Number(await ask(host, "f"));
            return begunAtMs < savedAtMs;
          },
          { timeout: 20_000, interval: 300 },
        )
        .toBe(true);
      expect(begunAtMs).toBeGreaterThan(before);
    }
  });

  test("finds none prepared that has other secrets", async () => {
    const host = open();
    secrets = { SECRET: "old" };
    await host.load(setOf([built("says", secret)]));
    expect(await ask(host, "says")).toBe("old");
    secrets = { SECRET: "new" };
    await host.load(setOf([built("says", secret)]));
    expect(await ask(host, "says")).toBe("new");
  });
});

describe("threads without work", () => {
  test("go, and the next call starts one", async () => {
    const host = open({ functionsIdleMs: 100, functionsSpareThread: false });
    await host.load(setOf([built("f", begins)]));
    const first = await ask(host, "f");
    await expect.poll(() => ask(host, "f"), { timeout: 20_000, interval: 400 }).not.toBe(first);
  });
});

describe("a stop", () => {
  test("waits for what runs and what waits, refuses what comes, and gives up when it is told", async () => {
    const host = open({ functionsConcurrency: 1 });
    await host.load(setOf([built("held", held())]));
    const all = [ask(host, "held"), ask(host, "held")];
    await expect.poll(() => gate.waiting("/held")).toBe(1);
    const stopped = host.stop();
    await expect(ask(host, "held")).rejects.toMatchObject({ code: "FUNCTIONS_STOPPING" });
    gate.leaveOpen("/held");
    expect(await Promise.all(all)).toEqual(["none", "none"]);
    await stopped;

    const impatient = open();
    await impatient.load(setOf([built("forever", `export default () => new Promise(() => {});`)]));
    const forever = ask(impatient, "forever");
    const refused = expect(forever).rejects.toMatchObject({ code: "FUNCTIONS_STOPPING" });
    await impatient.stop(AbortSignal.abort());
    await refused;
  });

  test("does not wait for a module that is being loaded", async () => {
    const host = open();
    const loading = host.load(
      setOf([built("f", `await fetch("${gate.url}/held"); export default () => new Response();`)]),
    );
    await expect.poll(() => gate.waiting("/held")).toBe(1);
    await host.stop();
    expect((await loading).get("f")).toMatchObject({ severity: "error" });
  });
});
