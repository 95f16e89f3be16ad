import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";

const portsTried = 50;

/** True when this process could listen there now. Other failures than "in use" are left to the real attempt to report. */
export function isPortFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "EADDRINUSE"));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** The first free port after `port`, or `null` when the next fifty are all taken. */
export async function nextFreePort(port: number, host: string): Promise<number | null> {
  for (let candidate = port + 1; candidate <= Math.min(port + portsTried, 65_535); candidate++) {
    if (await isPortFree(candidate, host)) return candidate;
  }
  return null;
}

/** The process that listens on a TCP port, as far as the system tells us. */
export interface PortHolder {
  readonly pid: number;
  readonly command: string;
}

/** Linux only, and only for processes we may look at: `/proc/net/tcp` names the socket, `/proc/<pid>/fd` who has it. */
export function portHolder(port: number): PortHolder | null {
  if (process.platform !== "linux") return null;
  const inodes = new Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap((path) => listenersIn(readText(path), port)));
  if (inodes.size === 0) return null;
  for (const pid of list("/proc").filter((name) => /^\d+$/.test(name))) {
    const holds = list(`/proc/${pid}/fd`).some((fd) => inodes.has(inodeOf(`/proc/${pid}/fd/${fd}`)));
    if (!holds) continue;
    const command = readText(`/proc/${pid}/cmdline`).split("\0").filter(Boolean).join(" ");
    return { pid: Number(pid), command: command.length > 80 ? `${command.slice(0, 79)}…` : command };
  }
  return null;
}

/** Inodes of sockets in state 0A (LISTEN, see proc_net_tcp in the kernel's documentation) on `port`. */
function listenersIn(table: string, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return table
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${hex}`) && fields[3] === "0A")
    .map((fields) => fields[9] ?? "");
}

function inodeOf(path: string): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1] ?? "";
  } catch {
    return "";
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
