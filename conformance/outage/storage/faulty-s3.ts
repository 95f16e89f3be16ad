import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What befalls one request on its way to an S3 server, or its answer. */
export type Fault =
  /** Refused without having been passed on. */
  | { readonly kind: "answer"; readonly status: number; readonly code: string }
  /** The connection is reset before anything is read. */
  | { readonly kind: "reset" }
  /** So many bytes of the request pass, and then the connection is reset on both sides. */
  | { readonly kind: "cut-request"; readonly afterBytes: number }
  /** It is done, and nobody hears of it. */
  | { readonly kind: "lose-answer" }
  /** So many bytes of the answer's body come, and then the connection is reset. */
  | { readonly kind: "cut-answer"; readonly afterBytes: number }
  /** So many bytes of the answer's body come, and then nothing, on a connection that stays. */
  | { readonly kind: "stall-answer"; readonly afterBytes: number }
  /** The body comes in pieces of a kilobyte or so, each so much later than the one before. */
  | { readonly kind: "slow"; readonly pauseMs: number };

export interface Asked {
  readonly method: string;
  readonly path: string;
}

/** The way to an S3 server, with all that can befall it. */
export interface FaultyS3 {
  readonly url: string;
  /** Decides for each request that comes from now on; `null`: it passes. */
  befalls: (asked: Asked) => Fault | null;
  /** All that came since the start. */
  readonly asked: Asked[];
  stop(): Promise<void>;
}

/** @param port of the S3 server on this machine. Requests are passed on as they were signed: `Host` included. */
export async function openFaultyS3(port: number): Promise<FaultyS3> {
  const server: Server = createServer({ requestTimeout: 0 }, (incoming, answer) => {
    const asked = { method: incoming.method ?? "", path: incoming.url ?? "" };
    way.asked.push(asked);
    pass(incoming, answer, port, way.befalls(asked));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: own } = server.address() as AddressInfo;
  const way: FaultyS3 = {
    url: `http://127.0.0.1:${own}`,
    befalls: () => null,
    asked: [],
    async stop() {
      server.close();
      server.closeAllConnections();
    },
  };
  return way;
}

function pass(incoming: IncomingMessage, answer: ServerResponse, port: number, fault: Fault | null): void {
  const reset = (): void => void incoming.socket.resetAndDestroy();
  if (fault?.kind === "reset") return reset();
  if (fault?.kind === "answer") {
    incoming.resume();
    incoming.once("end", () => {
      answer.writeHead(fault.status, { "content-type": "application/xml" });
      answer.end(`<?xml version="1.0"?><Error><Code>${fault.code}</Code><Message>Not now.</Message></Error>`);
    });
    return;
  }
  const { method, url, rawHeaders } = incoming;
  const onward = request({ host: "127.0.0.1", port, method, path: url, headers: rawHeaders, agent: false });
  const fail = (): void => {
    onward.destroy();
    reset();
  };
  onward.on("error", fail);
  incoming.on("error", () => onward.destroy());
  let sentBytes = 0;
  incoming.on("data", (chunk: Buffer) => {
    sentBytes += chunk.length;
    if (fault?.kind === "cut-request" && sentBytes > fault.afterBytes) return fail();
    onward.write(chunk);
  });
  incoming.on("end", () => onward.end());
  onward.on("response", (reply) => {
    if (fault?.kind === "lose-answer" || fault?.kind === "cut-request") {
      reply.resume();
      reply.once("end", reset);
      return;
    }
    answer.writeHead(reply.statusCode ?? 500, reply.rawHeaders);
    if (fault?.kind === "slow") return void trickle(reply, answer, fault.pauseMs).catch(reset);
    let givenBytes = 0;
    let isQuiet = false;
    reply.on("data", (chunk: Buffer) => {
      if (isQuiet) return;
      const breaksOff = fault?.kind === "cut-answer" || fault?.kind === "stall-answer";
      const room = breaksOff ? Math.max(0, fault.afterBytes - givenBytes) : chunk.length;
      givenBytes += chunk.length;
      const part = chunk.subarray(0, room);
      if (!breaksOff || room >= chunk.length) return void answer.write(part);
      isQuiet = true;
      // What was written has to be on its way before the connection goes.
      answer.write(part, () => {
        if (fault.kind === "cut-answer") reset();
      });
    });
    reply.on("end", () => {
      if (!isQuiet) answer.end();
    });
    reply.on("error", fail);
  });
}

async function trickle(reply: IncomingMessage, answer: ServerResponse, pauseMs: number): Promise<void> {
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; at += 16_384) {
      answer.write(chunk.subarray(at, at + 16_384));
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
  answer.end();
}
