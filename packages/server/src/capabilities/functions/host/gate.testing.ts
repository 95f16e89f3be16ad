import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A server that keeps whoever asks waiting until the test lets them through: what happens meanwhile has no clock. */
export interface Gate {
  /** `host:port`, for what functions may reach. */
  readonly host: string;
  readonly url: string;
  /** How many wait at this path. */
  waiting(path: string): number;
  /** Lets one through, or all. */
  open(path: string, count?: number, status?: number): void;
  /** From now on nobody waits at this path, and everybody gets this status. */
  leaveOpen(path: string, status?: number): void;
  close(): void;
}

export async function openGate(): Promise<Gate> {
  const held = new Map<string, ServerResponse[]>();
  const statuses = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = request.url!;
    const status = statuses.get(path);
    if (status !== undefined) return void response.writeHead(status).end();
    const all = held.get(path) ?? [];
    held.set(path, [...all, response]);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const open = (path: string, count = Number.POSITIVE_INFINITY, status = 204): void => {
    const all = held.get(path) ?? [];
    for (const response of all.splice(0, count)) response.writeHead(status).end();
  };
  return {
    host,
    url: `http://${host}`,
    waiting: (path) => held.get(path)?.length ?? 0,
    open,
    leaveOpen(path, status = 204) {
      statuses.set(path, status);
      open(path, undefined, status);
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
