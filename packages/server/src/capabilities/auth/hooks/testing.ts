import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isSignedWebhook } from "../../../platform/outbound/index.ts";

const key = Buffer.from("a hook's secret, 32 bytes long...");
export const secret = `v1,whsec_${key.toString("base64")}`;

export interface Delivery {
  readonly headers: IncomingHttpHeaders;
  /** As sent. */
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into payloads of every shape
  readonly body: any;
}

/** An app's hook: a server that answers what `reply` says, and keeps what it was told. */
export interface TestHook {
  readonly url: string;
  readonly seen: Delivery[];
  close(): Promise<void>;
}

/** `answer` gets the delivery and its number, from 0; an object is sent as JSON with status 200. */
export async function openTestHook(
  answer: (delivery: Delivery, at: number, reply: ServerResponse) => unknown,
): Promise<TestHook> {
  const seen: Delivery[] = [];
  const server = createServer(async (request, reply) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const delivery = { headers: request.headers, text, body: JSON.parse(text) };
    seen.push(delivery);
    const given = await answer(delivery, seen.length - 1, reply);
    if (given !== undefined) reply.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(given));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    seen,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

/** As Standard Webhooks tells receivers to check, at the time the message says it is of. */
export const isSigned = ({ headers, text }: Delivery, by: Buffer = key): boolean =>
  isSignedWebhook({ headers, body: text, keys: [by], nowMs: Number(headers["webhook-timestamp"]) * 1_000 });
