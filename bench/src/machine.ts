import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";

/** Where the figures come from: without it they say nothing. @param load who asked */
export function describeMachine(load: string): readonly (readonly [string, string])[] {
  return [
    ["Processor", `${cpus()[0]?.model.trim() ?? "unknown"}, ${availableParallelism()} cores used`],
    ["Memory", `${Math.round(totalmem() / 2 ** 30)} GiB`],
    [
      "System",
      `${process.platform} ${process.arch}, kernel ${attempt(() => execFileSync("uname", ["-r"], { encoding: "utf8" }).trim())}`,
    ],
    ["Node", process.version],
    ["Load", load],
  ];
}

export function hasCommand(name: string): boolean {
  try {
    execFileSync("which", [name], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/**
 * What a server costs in memory, in bytes: Node's resident pages in full (this process runs the same program, and would
 * otherwise be charged for half of it), and of PostgreSQL's processes their proportional share, since they share among
 * themselves. Linux only; `null` elsewhere.
 */
export function memoryOf([node, ...postgres]: readonly number[]): number | null {
  let sum = node === undefined ? 0 : residentOf(node);
  if (sum === 0) return null;
  for (const pid of postgres) {
    const rollup = attempt(() => readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
    sum += Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
  }
  return sum;
}

/** A process and everything below it. */
export function familyOf(pid: number): number[] {
  const children = attempt(() => execFileSync("pgrep", ["-P", String(pid)], { encoding: "utf8" }))
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
  return [pid, ...children.flatMap(familyOf)];
}

/** Processor time of a process so far, all its threads, in ms. Linux only; `NaN` elsewhere. */
export function processorMsOf(pid: number): number {
  const threads = attempt(() => readdirSync(`/proc/${pid}/task`).join("\n")).split("\n");
  const spentNs = threads.map((id) =>
    Number(attempt(() => readFileSync(`/proc/${pid}/task/${id}/schedstat`, "utf8")).split(" ")[0] || Number.NaN),
  );
  return spentNs.reduce((sum, ns) => sum + ns, 0) / 1e6;
}

/** Memory in resident pages now, in bytes. */
export function residentOf(pid: number): number {
  return (
    Number(/^VmRSS:\s+(\d+) kB/m.exec(attempt(() => readFileSync(`/proc/${pid}/status`, "utf8")))?.[1] ?? 0) * 1024
  );
}

function attempt(work: () => string): string {
  try {
    return work();
  } catch {
    return "";
  }
}
