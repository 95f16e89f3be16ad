import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { problems } from "./problems.ts";
import { programOf } from "./process-identity.ts";

/** @throws Problem `postgres/port-busy` saying who has it, as far as the system tells us. */
export async function refuseBusyPort(port: number): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    const server = createServer();
    server.once("error", resolve);
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(null)));
  });
  if (error !== null) throw problems.portBusy(port, error.code === "EADDRINUSE" ? describeOwner(port) : error.message);
}

function describeOwner(port: number): string {
  const pid = findListener(port);
  return pid === null ? "another process" : `process ${pid} (${programOf(pid) ?? "unknown"})`;
}

/** The process that listens on TCP `port`; `null` where there is no /proc or it belongs to a user we cannot look into. */
export function findListener(port: number): number | null {
  if (process.platform !== "linux") return null;
  const inodes = new Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap((table) => listeningInodes(table, port)));
  if (inodes.size === 0) return null;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const has = openFiles(pid).some((target) => inodes.has(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? ""));
    if (has) return Number(pid);
  }
  return null;
}

function listeningInodes(table: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  const listening = "0A";
  let text: string;
  try {
    text = readFileSync(table, "utf8");
  } catch {
    return [];
  }
  return text.split("\n").flatMap((line) => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    return local?.endsWith(`:${wanted}`) && state === listening && inode !== undefined ? [inode] : [];
  });
}

function openFiles(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}
