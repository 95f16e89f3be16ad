import { request as ask, createServer, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** What can happen to a request on its way from a phone and back. */
export const fates = ["arrives", "never-arrives", "answer-lost", "answer-late", "sent-twice", "gateway-error"] as const;
export type Fate = (typeof fates)[number];

/** A network between a phone and the server that treats each request as it is told. */
export interface BadNetwork {
  readonly url: string;
  /** What became of the requests so far. */
  readonly counts: ReadonlyMap<Fate, number>;
  stop(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** @param fateOf Decides for each request; its path comes with the query */
export async function badNetwork(target: string, fateOf: (path: string) => Fate): Promise<BadNetwork> {
  const counts = new Map<Fate, number>();
  const server = createServer(async (incoming, outgoing) => {
    const body = await bytesOf(incoming);
    const fate = fateOf(incoming.url ?? "/");
    counts.set(fate, (counts.get(fate) ?? 0) + 1);
    const cut = () => void incoming.socket.destroy();
    if (fate === "never-arrives") return cut();
    const send = () => forward(target, incoming, body);
    const answer = fate === "sent-twice" ? await send().then(send) : await send();
    if (fate === "answer-lost") return cut();
    if (fate === "answer-late") await delay(150);
    if (fate === "gateway-error") return void outgoing.writeHead(502).end("bad gateway");
    outgoing.writeHead(answer.status, answer.headers).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    counts,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function forward(target: string, incoming: IncomingMessage, body: Buffer): Promise<Answer> {
  const { host: _host, connection: _connection, ...headers } = incoming.headers;
  return new Promise((resolve, reject) => {
    const outgoing = ask(`${target}${incoming.url}`, { method: incoming.method, headers }, (response) => {
      bytesOf(response).then(
        (bytes) => resolve({ status: response.statusCode ?? 502, headers: response.headers, body: bytes }),
        reject,
      );
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
