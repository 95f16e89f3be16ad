import { resolve4, resolve6, resolveMx, resolveTxt } from "node:dns/promises";
import { inspect } from "node:util";
import { absent } from "./absent.ts";
import { env } from "./env.ts";
import { errors } from "./errors.ts";
import { addEventListener, removeEventListener, waitUntil } from "./events.ts";
import { files } from "./files.ts";
import { serve } from "./serve.ts";

/** The release of Deno whose code this runtime means to run. */
const denoVersion = "2.1.4";

const granted: readonly string[] = ["env", "net"];
const statusOf = (name: string) => ({
  state: granted.includes(name) ? "granted" : "denied",
  onchange: null,
  partial: false,
});
const permissions = {
  query: async ({ name }: { readonly name: string }) => statusOf(name),
  querySync: ({ name }: { readonly name: string }) => statusOf(name),
  request: async ({ name }: { readonly name: string }) => statusOf(name),
  requestSync: ({ name }: { readonly name: string }) => statusOf(name),
};

async function resolveDns(name: string, type: string): Promise<unknown> {
  switch (type) {
    case "A":
      return await resolve4(name);
    case "AAAA":
      return await resolve6(name);
    case "MX":
      return (await resolveMx(name)).map(({ exchange, priority }) => ({ exchange, preference: priority }));
    case "TXT":
      return await resolveTxt(name);
    default:
      throw new errors.NotSupported(`Records of type ${type} are not looked up here.`);
  }
}

/** Puts `Deno` and `EdgeRuntime` into the global object, with all that edge functions use, and what throws for the rest. */
export function installDeno(): void {
  const { arch, platform, versions } = process;
  const deno = {
    serve,
    env,
    errors,
    ...files,
    inspect,
    permissions,
    resolveDns,
    args: [] as readonly string[],
    noColor: true,
    pid: 1,
    ppid: 0,
    mainModule: "file:///function",
    version: { deno: denoVersion, v8: versions.v8, typescript: "5.9.2" },
    build: {
      target: `${arch === "x64" ? "x86_64" : "aarch64"}-unknown-linux-gnu`,
      arch: arch === "x64" ? "x86_64" : "aarch64",
      os: platform === "win32" ? "windows" : platform,
      vendor: "unknown",
      env: "gnu",
    },
    exit: (code?: number): never => process.exit(code),
    hostname: () => "function",
    osRelease: () => "",
    memoryUsage: () => process.memoryUsage(),
    customInspect: Symbol.for("Deno.customInspect"),
  };
  const edge = { waitUntil };
  const targets: Readonly<Record<string, object>> = { Deno: deno, EdgeRuntime: edge, Supabase: {} };
  for (const [path, instead] of Object.entries(absent)) {
    const [object, name] = path.split(".") as [string, string];
    Object.defineProperty(targets[object]!, name, {
      value: missing(path, instead),
      writable: true,
      configurable: true,
    });
  }
  for (const [name, value] of Object.entries({
    Deno: deno,
    EdgeRuntime: edge,
    addEventListener,
    removeEventListener,
  })) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  }
}

function missing(path: string, instead: string): () => never {
  return function absentHere(): never {
    throw new errors.NotSupported(`${path} is not part of this runtime. ${instead}`);
  };
}
