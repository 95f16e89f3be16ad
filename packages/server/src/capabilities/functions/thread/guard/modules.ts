import { syncBuiltinESMExports } from "node:module";
import { put } from "./put.ts";
import { RefusedError } from "./refused.ts";

/**
 * Modules that reach beyond the thread. They can be imported, since packages import what they then do not use; what they export throws. Node's
 * permissions refuse processes and addons besides; they say nothing of `node:sqlite`, which writes files, and of signals.
 */
const closedModules = [
  "child_process",
  "cluster",
  "dgram",
  "inspector",
  "inspector/promises",
  "node:sqlite",
  "wasi",
] as const;

/** Of other modules, what does. A worker would be a thread without a guard, and so are the loader hooks of `module.register`. */
const closedMembers: Readonly<Record<string, readonly string[]>> = {
  worker_threads: ["Worker", "postMessageToThread", "moveMessagePortToContext"],
  module: ["register"],
  os: ["setPriority"],
  v8: ["setFlagsFromString", "setHeapSnapshotNearHeapLimit", "writeHeapSnapshot", "startCpuProfile", "queryObjects"],
};

/** What tells of the machine, or is the thread's own channel. */
const replacedMembers: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  worker_threads: { parentPort: null, workerData: null, resourceLimits: {} },
  os: {
    hostname: () => "function",
    homedir: () => "/",
    networkInterfaces: () => ({}),
    userInfo: () => ({ uid: -1, gid: -1, username: "function", homedir: "/", shell: null }),
  },
};

type Exports = Record<string, unknown>;

export function guardModules(): void {
  // All before any is closed: some are made of others.
  const { emitWarning } = process;
  // That some are experimental is of no matter to who cannot use them.
  process.emitWarning = () => {};
  const modules = closedModules.map((name) => [name, exportsOf(name)] as const);
  process.emitWarning = emitWarning;
  for (const [name, exports] of modules) {
    for (const key of Reflect.ownKeys(exports)) {
      const { [key as string]: member } = exports;
      if (typeof member === "function") put(exports, { [key]: refusing(`${name}.${String(key)}`, member) });
      else if (typeof member === "object" && member !== null && key !== "constants") put(exports, { [key]: {} });
    }
  }
  for (const [name, keys] of Object.entries(closedMembers)) {
    const exports = exportsOf(name);
    for (const key of keys) {
      if (key in exports)
        put(exports, { [key]: refusing(`${name}.${key}`, exports[key] as { readonly name: string }) });
    }
  }
  for (const [name, members] of Object.entries(replacedMembers)) {
    put(exportsOf(name), members);
  }
  // What is imported by name is a copy.
  syncBuiltinESMExports();
}

const exportsOf = (name: string): Exports => process.getBuiltinModule(name) as Exports;

/** Takes the place of a function or a class: it can be extended, and neither called nor made. */
function refusing(name: string, real: { readonly name: string }): () => never {
  function closed(): never {
    throw new RefusedError(
      `${name} is not for functions: they have no processes, threads, files or ports of their own.`,
    );
  }
  Object.defineProperty(closed, "name", { value: real.name });
  return closed;
}
