import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface LocalServer {
  readonly url: string;
  close(): Promise<void>;
}

/** A real server on this machine, in the place of one of the world's. */
export async function listen(
  handle: (request: IncomingMessage, reply: ServerResponse) => unknown,
): Promise<LocalServer> {
  const server = createServer((request, reply) => void handle(request, reply));
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}
