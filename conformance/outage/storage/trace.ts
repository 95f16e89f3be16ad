import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";

/** A system call of a process; `begun` and `ended` are places in the order in which the kernel saw all of them. */
export interface SystemCall {
  readonly name: string;
  readonly args: string;
  readonly begun: number;
  readonly ended: number;
}

/** Calls that write, make durable, or give a name. Bytes are shown as far as this many. */
const traced = "pwrite64,pwritev,write,writev,sendto,sendmsg,fdatasync,fsync,rename,renameat,renameat2,mkdir,mkdirat";
const shownBytes = 16_384;

export const canTrace: boolean = await promisify(execFile)("strace", ["-V"]).then(
  () => true,
  () => false,
);

/** What a process and all its threads ask of the kernel, from now until `end`. */
export class Trace {
  readonly #strace: ChildProcess;
  #text = "";

  private constructor(pid: number) {
    const args = ["-f", "-y", "-s", String(shownBytes), "-e", `trace=${traced}`, "-p", String(pid)];
    this.#strace = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#strace.stderr!.setEncoding("latin1").on("data", (text: string) => {
      this.#text += text;
    });
  }

  /** @throws when the process may not be traced */
  static async begin(pid: number): Promise<Trace> {
    const trace = new Trace(pid);
    const ended = once(trace.#strace, "close").then(() => Promise.reject(new Error(trace.#text)));
    ended.catch(() => {});
    while (!/attached/.test(trace.#text)) await Promise.race([ended, once(trace.#strace.stderr!, "data")]);
    return trace;
  }

  async end(): Promise<readonly SystemCall[]> {
    this.#strace.kill("SIGINT");
    await once(this.#strace, "close");
    return callsOf(this.#text);
  }
}

/** A call that others interrupt is two lines: `name(… <unfinished ...>` and `<... name resumed>…) = 0`. */
function callsOf(text: string): readonly SystemCall[] {
  const calls: SystemCall[] = [];
  const open = new Map<string, { name: string; args: string; begun: number }>();
  for (const [at, line] of text.split("\n").entries()) {
    const [, thread = "", rest = ""] = /^\[pid +(\d+)\] (.*)$/.exec(line) ?? [null, "main", line];
    const resumed = /^<\.\.\. (\w+) resumed>(.*)$/.exec(rest);
    if (resumed !== null) {
      const call = open.get(thread);
      if (call !== undefined) calls.push({ ...call, args: call.args + resumed[2]!, ended: at });
      open.delete(thread);
      continue;
    }
    const begun = /^(\w+)\((.*)$/.exec(rest);
    if (begun === null) continue;
    const [, name = "", args = ""] = begun;
    if (args.endsWith("<unfinished ...>")) open.set(thread, { name, args, begun: at });
    else calls.push({ name, args, begun: at, ended: at });
  }
  return calls.sort((one, other) => one.begun - other.begun);
}
