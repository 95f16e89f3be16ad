import { put } from "./put.ts";
import { RefusedError } from "./refused.ts";

/** What would reach beyond the thread, or tell of what is there. */
const closed = [
  "_debugEnd",
  "_debugProcess",
  "_kill",
  "_linkedBinding",
  "_startProfilerIdleNotifier",
  "_stopProfilerIdleNotifier",
  "abort",
  "binding",
  "chdir",
  "dlopen",
  "execve",
  "initgroups",
  "kill",
  "setegid",
  "seteuid",
  "setgid",
  "setgroups",
  "setuid",
  "setUncaughtExceptionCaptureCallback",
] as const;

/** Makes `process` the function's own: its environment, no other process, no way out but an error. */
export function guardProcess(environment: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, environment);
  const refuse = (name: string) => (): never => {
    throw new RefusedError(`process.${name} is not for functions.`);
  };
  put(process, Object.fromEntries(closed.map((name) => [name, refuse(name)])));
  put(process, {
    exit,
    umask: (mask?: unknown) => (mask === undefined ? 0o22 : refuse("umask")()),
    _getActiveHandles: () => [],
    _getActiveRequests: () => [],
    report: undefined,
    argv: ["node", "function.mjs"],
    execArgv: [],
    execPath: "node",
    pid: 1,
    ppid: 0,
    title: "function",
  });
}

/** Ends the thread, as what nobody caught does: whoever waits for an answer hears of it. (`reallyExit` only ends the thread; `exit` itself needs it.) */
function exit(code: unknown = process.exitCode): never {
  const error = new RefusedError(`The function has called process.exit(${code === undefined ? "" : String(code)}).`);
  process.emit("uncaughtException", error);
  throw error;
}
