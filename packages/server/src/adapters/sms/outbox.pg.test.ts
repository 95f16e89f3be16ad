import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestDatabase, testDatabase } from "@mainstay/testing";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { AuthSms } from "../../capabilities/auth/messages.ts";
import { createSmsDelivery } from "../../capabilities/auth/sms/index.ts";
import { smsSettings } from "../../capabilities/auth/sms/settings.ts";
import { systemClock } from "../../kernel/clock.ts";
import { readSettings } from "../../kernel/settings.ts";
import { createOutbox, type Outbox, outboxSettings } from "../../platform/outbox/index.ts";
import { type Database, openDatabase } from "../../platform/postgres/database.ts";
import { smsGateway } from "./index.ts";

/** Answers of Twilio's, in turn, and when each was asked for. */
const answers: ((reply: ServerResponse) => void)[] = [];
const askedAtMs: number[] = [];
const bodies: URLSearchParams[] = [];
const twilio = createServer(async (request, reply) => {
  askedAtMs.push(performance.now());
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  bodies.push(new URLSearchParams(Buffer.concat(chunks).toString()));
  (answers.shift() ?? says(201, { sid: "SM1", status: "queued" }))(reply);
});
const says =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  (reply: ServerResponse): void =>
    void reply.writeHead(status, headers).end(JSON.stringify(body));

let database: TestDatabase;
let db: Database;
let outbox: Outbox;
const givenUp: string[] = [];

beforeAll(async () => {
  await new Promise<void>((listening) => twilio.listen(0, "127.0.0.1", listening));
  database = await testDatabase();
  db = openDatabase({ connectionString: database.url, max: 3 });
  const client = await db.connect();
  await client.query("create schema mainstay");
  await client.query(await readFile(new URL("../../../migrations/0005_outbox.sql", import.meta.url), "utf8"));
  await client.end();
  const env = {
    GOTRUE_SMS_PROVIDER: "twilio",
    GOTRUE_SMS_TWILIO_ACCOUNT_SID: "AC1",
    GOTRUE_SMS_TWILIO_AUTH_TOKEN: "token",
    GOTRUE_SMS_TWILIO_MESSAGE_SERVICE_SID: "MG1",
    MAINSTAY_SMS_URL: `http://127.0.0.1:${(twilio.address() as AddressInfo).port}`,
    MAINSTAY_SMS_TIMEOUT_MS: "200",
  };
  const settings = readSettings(smsSettings, { env }).values;
  const delivery = createSmsDelivery({ gateway: smsGateway(settings), settings, clock: systemClock });
  outbox = createOutbox({
    db,
    key: Buffer.alloc(32, 7),
    settings: {
      ...readSettings(outboxSettings, { env: {} }).values,
      outboxRetryFirstMs: 20,
      outboxRetryMaxMs: 50,
      outboxPollMs: 100,
    },
    observe: () => {},
  });
  outbox.serve<AuthSms>({
    name: "sms",
    deliver: async (sms, { id, signal }) => void (await delivery.deliver(sms, id, signal)),
    onGivenUp: async (_sms, _delivery, reason) => void givenUp.push(reason),
  });
  await outbox.start();
});
afterAll(async () => {
  await outbox.stop(AbortSignal.timeout(500));
  await db.close();
  await database.drop();
  twilio.closeAllConnections();
  twilio.close();
});
beforeEach(() => {
  for (const list of [answers, askedAtMs, bodies, givenUp]) list.length = 0;
});

const put = (otp: string) => {
  const sms: AuthSms = { purpose: "sms", to: "4915112345678", otp, channel: "sms", user: null };
  return db.transaction((tx) => outbox.put(tx, "sms", sms, { lifetimeSeconds: 60 }));
};
const asked = (times: number) =>
  vi.waitFor(() => expect(askedAtMs.length).toBeGreaterThanOrEqual(times), { timeout: 30_000 });

test("X12 a busy provider is asked again when it said, one that fails a little later, and gets each message", async () => {
  answers.push(
    says(429, { code: 20429 }, { "Retry-After": "1" }),
    (reply) => reply.destroy(),
    () => {},
  );
  await put("111111");
  await asked(4);
  expect(bodies.map((body) => body.get("Body"))).toEqual(Array.from({ length: 4 }, () => "Your code is 111111"));
  // The provider's own word; a timer may be early by its rounding.
  expect(askedAtMs[1]! - askedAtMs[0]!).toBeGreaterThan(990);
  expect(givenUp).toEqual([]);
  await put("222222");
  await asked(5);
  expect(bodies.at(-1)?.get("Body")).toBe("Your code is 222222");
});

test("X12 a number that does not exist is asked for once", async () => {
  answers.push(says(400, { code: 21211, message: "The 'To' number +4915112345678 is not valid" }));
  await put("333333");
  await vi.waitFor(() => expect(givenUp).toHaveLength(1), { timeout: 30_000 });
  await put("444444");
  await asked(2);
  expect(bodies.map((body) => body.get("Body"))).toEqual(["Your code is 333333", "Your code is 444444"]);
  expect(givenUp[0]).toContain("Twilio refuses the message (21211)");
  expect(givenUp[0]).not.toContain("4915112345678");
});
