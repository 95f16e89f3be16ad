import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DeliveryError } from "../../../platform/outbox/index.ts";
import type { OutgoingSms, SmsGateway } from "./ports.ts";

/** What a gateway's API was asked. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** A server on this machine that speaks a gateway's API, well or badly. */
export interface GatewayServer {
  readonly url: string;
  readonly asked: Asked[];
  answer: (reply: ServerResponse) => void;
}

/** How one vendor's API says what every API says. */
export interface GatewaySpeech {
  create(url: string): SmsGateway;
  readonly accepted: Answer;
  /** The vendor's own id in `accepted`. */
  readonly id: string;
  /** No such number, and whatever else holds for this message only. */
  readonly refused: readonly Answer[];
  /** Credentials, credit, sender. */
  readonly accountTrouble: readonly Answer[];
  /** Busy, besides status 429 and 5xx. */
  readonly busy?: readonly Answer[];
  /** True where any 2xx is a yes, whatever comes with it. */
  readonly takesAnyAnswer?: boolean;
  /** Must never be in an error. */
  readonly secrets: readonly string[];
}

/** Far more than a server on this machine takes, however busy it is: one that never answers is waited for that long. */
export const timeoutMs = 2_000;

export const message: OutgoingSms = {
  id: "0b1c6f0e-7d1d-4b5c-9a1e-0a1b2c3d4e5f",
  to: "4915112345678",
  body: "Your code is 987654",
  channel: "sms",
  otp: "987654",
};

/** What any gateway does: hands a message over once, and says what a failure means. Calls `more` with the same server. */
export function smsGatewayContract(speech: GatewaySpeech, more?: (server: GatewayServer) => void): void {
  const server: { -readonly [K in keyof GatewayServer]: GatewayServer[K] } = { url: "", asked: [], answer: () => {} };
  const http = createServer(async (request, reply) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = "", url: path = "", headers } = request;
    server.asked.push({ method, path, headers, body: Buffer.concat(chunks).toString() });
    server.answer(reply);
  });
  beforeAll(async () => {
    await new Promise<void>((listening) => http.listen(0, "127.0.0.1", listening));
    server.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    http.closeAllConnections();
    http.close();
  });

  const failure = async (answer: GatewayServer["answer"]): Promise<DeliveryError> => {
    server.answer = answer;
    server.asked.length = 0;
    const error = await speech
      .create(server.url)
      .send(message)
      .then(
        () => null,
        (thrown: unknown) => thrown,
      );
    expect(error).toBeInstanceOf(DeliveryError);
    // Another attempt is the caller's to make.
    expect(server.asked).toHaveLength(1);
    for (const secret of [...speech.secrets, message.otp, message.to]) {
      expect((error as DeliveryError).message).not.toContain(secret);
    }
    return error as DeliveryError;
  };

  test("hands a message over and brings back the id", async () => {
    server.answer = answering(speech.accepted);
    server.asked.length = 0;
    expect(await speech.create(server.url).send(message)).toEqual({ id: speech.id });
    expect(server.asked).toHaveLength(1);
    expect(server.asked[0]).toMatchObject({ method: "POST" });
    expect(decodeURIComponent(server.asked[0]!.body.replaceAll("+", " "))).toContain(message.body);
  });

  test.each(speech.refused)("a message that is refused is refused for good: $body", async (answer) => {
    expect(await failure(answering(answer))).toMatchObject({ isFinal: true, isProviderDown: false });
  });

  test.each(speech.accountTrouble)("trouble with the account holds up every message: $body", async (answer) => {
    expect(await failure(answering(answer))).toMatchObject({ isFinal: false, isProviderDown: true });
  });

  describe("X12 a gateway that cannot now", () => {
    const passing = { isFinal: false, isProviderDown: true };

    test.each(speech.busy ?? [])("says so: $body", async (answer) => {
      expect(await failure(answering(answer))).toMatchObject(passing);
    });

    test("is left alone for as long as it asks, in seconds or until a time, but not for ever", async () => {
      const busy = (wait: string) => answering({ status: 429, headers: { "Retry-After": wait }, body: {} });
      expect(await failure(busy("17"))).toMatchObject({ ...passing, retryAfterSeconds: 17 });
      const later = await failure(busy(new Date(Date.now() + 60_000).toUTCString()));
      expect(later).toMatchObject(passing);
      expect(later.retryAfterSeconds).toBeGreaterThan(55);
      expect(later.retryAfterSeconds).toBeLessThanOrEqual(60);
      expect(await failure(busy("999999"))).toMatchObject({ retryAfterSeconds: 3_600 });
      expect(await failure(busy("soon"))).toMatchObject({ ...passing, retryAfterSeconds: null });
      const down = answering({ status: 503, headers: { "Retry-After": "5" }, body: "" });
      expect(await failure(down)).toMatchObject({ ...passing, retryAfterSeconds: 5 });
    });

    const senseless: [string, GatewayServer["answer"]][] = [
      ["answers no JSON", answering({ status: 200, body: "<html>welcome</html>" })],
      ["answers JSON of another kind", answering({ status: 200, body: [1] })],
      ["answers nothing", answering({ status: 200, body: "" })],
    ];
    test.each<[string, GatewayServer["answer"]]>([
      ...(speech.takesAnyAnswer ? [] : senseless),
      ["hangs", () => {}],
      ["hangs in the middle", (reply) => void reply.writeHead(200).write('{"sid":')],
      ["fails", answering({ status: 500, body: { message: "oops" } })],
      ["redirects", answering({ status: 307, headers: { Location: "http://127.0.0.1:1/" }, body: "" })],
      ["breaks off", (reply) => reply.destroy()],
      ["answers without end", answering({ status: 200, body: "x".repeat(100_000) })],
    ])("and %s is asked again later", async (_what, answer) => {
      expect(await failure(answer)).toMatchObject(passing);
    });

    test("nor be reached is asked again later", async () => {
      const error = await speech
        .create("http://127.0.0.1:1")
        .send(message)
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(DeliveryError);
      expect(error).toMatchObject(passing);
    });
  });

  test("gives up when it is told to", async () => {
    server.answer = () => {};
    const reason = new Error("the server stops");
    const controller = new AbortController();
    const sending = speech.create(server.url).send(message, controller.signal);
    controller.abort(reason);
    await expect(sending).rejects.toBe(reason);
  });

  more?.(server);
}

export function answering({ status, headers, body }: Answer): (reply: ServerResponse) => void {
  return (reply) =>
    void reply.writeHead(status, { ...headers }).end(typeof body === "string" ? body : JSON.stringify(body));
}
