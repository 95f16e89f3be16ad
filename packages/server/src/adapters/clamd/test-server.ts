import { createServer, type Server, type Socket } from "node:net";

/** What a fake clamd does to a connection. */
export type Fault =
  | "none"
  | "silent"
  | "cut-at-once"
  | "cut-in-the-midst"
  | "garbage"
  | "no-more-reading"
  | "size-limit";

/** Speaks clamd's INSTREAM. Whatever has `EICAR` in it is infected. */
export interface TestClamd {
  readonly address: string;
  fault: Fault;
  /** Bytes of the files it was given. */
  readonly received: Buffer[];
  readonly connections: Set<Socket>;
  close(): Promise<void>;
}

export async function openTestClamd(path?: string): Promise<TestClamd> {
  const connections = new Set<Socket>();
  const received: Buffer[] = [];
  const server: Server = createServer((socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
    socket.on("error", () => {});
    if (clamd.fault === "cut-at-once") return socket.destroy();
    if (clamd.fault === "no-more-reading") return socket.pause();
    let pending = Buffer.alloc(0);
    let isOpen = false;
    const chunks: Buffer[] = [];
    socket.on("data", (bytes) => {
      pending = Buffer.concat([pending, bytes]);
      if (clamd.fault === "cut-in-the-midst" && pending.length > 100) return socket.destroy();
      if (clamd.fault === "size-limit" && pending.length > 100) {
        return socket.end("INSTREAM size limit exceeded. ERROR\0");
      }
      if (!isOpen) {
        const end = pending.indexOf(0);
        if (end === -1) return;
        if (pending.subarray(0, end).toString() !== "zINSTREAM") return socket.end("UNKNOWN COMMAND\0");
        isOpen = true;
        pending = pending.subarray(end + 1);
      }
      while (pending.length >= 4) {
        const length = pending.readUInt32BE();
        if (length === 0) return answer();
        if (pending.length < 4 + length) return;
        chunks.push(Buffer.from(pending.subarray(4, 4 + length)));
        pending = pending.subarray(4 + length);
      }
    });
    function answer(): void {
      const file = Buffer.concat(chunks);
      received.push(file);
      if (clamd.fault === "silent") return;
      if (clamd.fault === "garbage") return void socket.end("stream: maybe\0");
      socket.end(file.includes("EICAR") ? "stream: Eicar-Test-Signature FOUND\0" : "stream: OK\0");
    }
  });
  await new Promise<void>((resolve) =>
    path === undefined ? server.listen(0, "127.0.0.1", resolve) : server.listen(path, resolve),
  );
  const at = server.address();
  const clamd: TestClamd = {
    address: typeof at === "object" && at !== null ? `127.0.0.1:${at.port}` : String(at),
    fault: "none",
    received,
    connections,
    async close() {
      for (const socket of connections) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return clamd;
}
