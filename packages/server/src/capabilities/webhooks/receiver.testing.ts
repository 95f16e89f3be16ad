import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What somebody has sent to a receiver. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** How a receiver answers; what it does not answer hangs. */
export type Answer = (received: Received, response: ServerResponse, count: number) => void;

/** A real HTTP server on loopback that keeps what it gets, and misbehaves as told. */
export interface Receiver {
  readonly url: string;
  readonly port: number;
  readonly received: Received[];
  /** `webhook-id` of everything that was answered with 2xx, in order. */
  readonly taken: string[];
  answer: Answer;
  close(): Promise<void>;
}

export async function openReceiver(answer: Answer = (_, response) => response.writeHead(204).end()): Promise<Receiver> {
  const received: Received[] = [];
  const taken: string[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const one: Received = {
      method: request.method ?? "",
      url: request.url ?? "",
      headers: request.headers,
      body: Buffer.concat(chunks).toString("utf8"),
    };
    received.push(one);
    response.once("finish", () => {
      const id = one.headers["webhook-id"];
      if (response.statusCode < 300 && typeof id === "string") taken.push(id);
    });
    receiver.answer(one, response, received.length);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/hook`,
    port,
    received,
    taken,
    answer,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
  return receiver;
}

/** Which of these secrets (`whsec_…`) a message is signed with: Standard Webhooks read anew, not with the code that signs. */
export function signersOf({ headers, body }: Received, secrets: readonly string[]): readonly string[] {
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  const given = String(headers["webhook-signature"])
    .split(" ")
    .map((entry) => entry.split(","))
    .filter(([version]) => version === "v1")
    .map(([, signature]) => Buffer.from(signature ?? "", "base64"));
  return secrets.filter((secret) => {
    const key = Buffer.from(secret.slice("whsec_".length), "base64");
    const wanted = createHmac("sha256", key).update(signed, "utf8").digest();
    return given.some((found) => found.length === wanted.length && timingSafeEqual(found, wanted));
  });
}
