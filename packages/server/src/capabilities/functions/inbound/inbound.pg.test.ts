import { createHmac } from "node:crypto";
import type { WebhookOptions } from "@mainstay/functions";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readSettings } from "../../../kernel/settings.ts";
import { JobsBench } from "../../../platform/jobs/testing.ts";
import type { Observation } from "../../../platform/observe/observation.ts";
import { webhookHeaders, webhookKeys } from "../../../platform/outbound/webhook-signature.ts";
import { createInbound, type Inbound, inboundSettings } from "./index.ts";

const nowMs = 1_800_000_000_000;
const standardSecret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const secrets: Record<string, string> = {
  STRIPE: "whsec_new|whsec_old",
  GITHUB: "It's a Secret to Everybody",
  STANDARD: standardSecret,
  BAD_STANDARD: "whsec_short",
  PLAIN: "plain",
};

let bench: JobsBench;
let inbound: Inbound;
const seen: Observation[] = [];
beforeAll(async () => {
  bench = await JobsBench.open();
  const { db, jobs } = bench.node();
  inbound = createInbound({
    db,
    jobs,
    secretOf: (name) => secrets[name],
    settings: readSettings(inboundSettings, { env: {} }).values,
    observe: (one) => void seen.push(one),
    clock: { nowMs: () => nowMs },
  });
});
afterAll(() => bench.close());
beforeEach(async () => {
  seen.length = 0;
  await bench.sql("truncate mainstay.jobs, mainstay.inbound_events");
});

const post = async (
  options: WebhookOptions,
  headers: Readonly<Record<string, string>>,
  body: string | Buffer,
  method = "POST",
): Promise<[status: number, body: unknown]> => {
  const answer = await inbound.receive("pay", options, {
    method,
    url: "http://localhost/functions/v1/pay",
    headers: Object.entries(headers).flat(),
    body: Buffer.from(body),
  });
  return [answer.status, JSON.parse(String(answer.body))];
};
const hmac = (secret: string, text: string, algorithm = "sha256"): Buffer =>
  createHmac(algorithm, secret).update(text).digest();
const kept = () => bench.sql<{ event_id: string }>("select event_id from mainstay.inbound_events order by 1");
const jobs = () =>
  bench.sql<{ name: string; payload: Record<string, unknown> }>(
    "select name, payload from mainstay.jobs order by place",
  );

const stripe: WebhookOptions = { provider: "stripe", secret: "STRIPE" };
const stripeEvent = JSON.stringify({ id: "evt_1", type: "payment_intent.succeeded", data: { amount: 5 } });
const signedByStripe = (body: string, secret = "whsec_new", seconds = nowMs / 1_000) => ({
  "Stripe-Signature": `t=${seconds},v0=00,v1=${hmac(secret, `${seconds}.${body}`).toString("hex")}`,
});

describe("X13 an event of Stripe", () => {
  test("becomes one job, however often it is sent, with the secret of now or of before", async () => {
    expect(await post(stripe, signedByStripe(stripeEvent), stripeEvent)).toEqual([200, { received: true }]);
    expect(await post(stripe, signedByStripe(stripeEvent, "whsec_old", nowMs / 1_000 - 299), stripeEvent)).toEqual([
      200,
      { received: true },
    ]);
    expect(await jobs()).toEqual([
      {
        name: "mainstay.inbound/pay",
        payload: {
          id: "evt_1",
          type: "payment_intent.succeeded",
          body: JSON.parse(stripeEvent),
          headers: {},
          receivedAt: new Date(nowMs).toISOString(),
        },
      },
    ]);
    expect(await bench.count("name = 'mainstay.inbound/pay'")).toBe(1);
  });

  test("sent fifty times at once becomes one job", async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => post(stripe, signedByStripe(stripeEvent), stripeEvent)),
    );
    expect(new Set(answers.map(([status]) => status))).toEqual(new Set([200]));
    expect(await bench.count()).toBe(1);
  });

  const good = signedByStripe(stripeEvent)["Stripe-Signature"];
  test.each([
    ["without a signature", {}],
    ["of another secret", signedByStripe(stripeEvent, "whsec_other")],
    ["of an old time", signedByStripe(stripeEvent, "whsec_new", nowMs / 1_000 - 301)],
    ["of a time to come", signedByStripe(stripeEvent, "whsec_new", nowMs / 1_000 + 301)],
    ["of another body", signedByStripe(`${stripeEvent} `)],
    ["under another time", { "Stripe-Signature": good.replace(/t=\d+/, `t=${nowMs / 1_000 - 1}`) }],
    ["with two times", { "Stripe-Signature": `t=1,${good}` }],
    ["cut short", { "Stripe-Signature": good.slice(0, -2) }],
    ["with more behind it", { "Stripe-Signature": `${good}zz` }],
    ["of an old scheme", { "Stripe-Signature": good.replace("v1=", "v0=") }],
    ["empty", { "Stripe-Signature": `t=${nowMs / 1_000},v1=` }],
  ])("X03 %s is refused, and nothing of it is kept", async (_what, headers: Readonly<Record<string, string>>) => {
    const [status, body] = await post(stripe, headers, stripeEvent);
    expect([status, body]).toEqual([401, { code: "BAD_SIGNATURE", message: "The signature does not fit." }]);
    expect(await kept()).toEqual([]);
    expect(await bench.count()).toBe(0);
  });
});

describe("an event of GitHub", () => {
  const github: WebhookOptions = { provider: "github", secret: "GITHUB" };
  const headersOf = (body: string, delivery: string) => ({
    "X-Hub-Signature-256": `sha256=${hmac(secrets.GITHUB!, body).toString("hex")}`,
    "X-GitHub-Delivery": delivery,
    "X-GitHub-Event": "push",
    Authorization: "Bearer secret",
  });

  test("is verified as GitHub's documentation says", async () => {
    // The test values of "Validating webhook deliveries".
    const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    const [status] = await post(github, { "x-hub-signature-256": signature }, "Hello, World!");
    // Genuine, and no JSON.
    expect(status).toBe(400);
  });

  test("comes under its delivery's id; X03 and what is caught and sent again under another id changes nothing", async () => {
    const body = '{"ref":"main"}';
    expect((await post(github, headersOf(body, "d-1"), body))[0]).toBe(200);
    expect((await post(github, headersOf(body, "d-2"), body))[0]).toBe(200);
    const [job, ...others] = await jobs();
    expect(others).toEqual([]);
    expect(job!.payload).toMatchObject({ id: "d-1", type: "push", body: { ref: "main" } });
    // Neither the signature nor what could be somebody's key reaches the handler.
    expect(job!.payload.headers).toEqual({ "x-github-delivery": "d-1", "x-github-event": "push" });
  });
});

describe("an event of Standard Webhooks", () => {
  const standard: WebhookOptions = { provider: "standard", secret: "STANDARD" };
  test("is known by its id", async () => {
    const body = '{"type":"user.created"}';
    const headers = { ...webhookHeaders({ id: "msg_1", nowMs, body, keys: webhookKeys("x", standardSecret) }) };
    expect((await post(standard, headers, body))[0]).toBe(200);
    expect((await post(standard, headers, body))[0]).toBe(200);
    expect((await jobs()).map(({ payload }) => [payload.id, payload.type])).toEqual([["msg_1", "user.created"]]);
    expect((await post(standard, { ...headers, "webhook-id": "msg_2" }, body))[0]).toBe(401);
  });

  test("may be as old as its author allows", async () => {
    const body = "{}";
    const headers = {
      ...webhookHeaders({ id: "m", nowMs: nowMs - 20_000, body, keys: webhookKeys("x", standardSecret) }),
    };
    expect((await post({ ...standard, toleranceSeconds: 10 }, headers, body))[0]).toBe(401);
    expect((await post({ ...standard, toleranceSeconds: 30 }, headers, body))[0]).toBe(200);
  });
});

describe("any other event with an HMAC", () => {
  const options: WebhookOptions = {
    provider: "hmac",
    secret: "PLAIN",
    signature: { header: "X-Sign", algorithm: "sha1", encoding: "base64", prefix: "v=" },
    id: { path: "meta.id" },
  };
  test("is verified as its author says, and known by the id in its body, or by the body", async () => {
    const body = '{"meta":{"id":17}}';
    const headers = { "x-sign": `v=${hmac("plain", body, "sha1").toString("base64")}` };
    expect((await post(options, headers, body))[0]).toBe(200);
    expect((await post({ ...options, signature: { header: "X-Sign" } }, headers, body))[0]).toBe(401);
    const other = '{"meta":{}}';
    const otherHeaders = { "x-sign": `v=${hmac("plain", other, "sha1").toString("base64")}` };
    expect((await post(options, otherHeaders, other))[0]).toBe(200);
    expect((await post(options, otherHeaders, other))[0]).toBe(200);
    expect((await jobs()).map(({ payload }) => payload.id)).toEqual([
      "17",
      expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    ]);
    expect(JSON.stringify(await jobs())).not.toContain("x-sign");
  });
});

describe("a webhook", () => {
  test("without its secret takes nothing in, and says so once", async () => {
    const missing: WebhookOptions = { provider: "stripe", secret: "NOT_THERE" };
    expect((await post(missing, signedByStripe(stripeEvent), stripeEvent))[0]).toBe(503);
    expect((await post(missing, signedByStripe(stripeEvent, ""), stripeEvent))[0]).toBe(503);
    expect(seen.filter(({ kind }) => kind === "warning")).toHaveLength(1);
    expect((await post({ provider: "standard", secret: "BAD_STANDARD" }, {}, "{}"))[0]).toBe(503);
    expect(await bench.count()).toBe(0);
    expect(JSON.stringify(seen)).not.toContain("whsec_short");
  });

  test("takes POST only, and no more than so many bytes, and JSON", async () => {
    expect((await post(stripe, {}, "", "GET"))[0]).toBe(405);
    expect((await post(stripe, {}, Buffer.alloc(1_000_001)))[0]).toBe(413);
    expect((await post(stripe, signedByStripe("no json"), "no json"))[0]).toBe(400);
    expect((await post(stripe, signedByStripe("{}\u0000"), "{}\u0000"))[0]).toBe(400);
    expect(await bench.count()).toBe(0);
  });

  test("keeps texts that PostgreSQL cannot have", async () => {
    const body = String.raw`{"id":"e\u0000","type":"t","a":["\u0000"]}`;
    expect((await post(stripe, signedByStripe(body), body))[0]).toBe(200);
    expect((await jobs())[0]!.payload).toMatchObject({ id: "e\ufffd", body: { a: ["\ufffd"] } });
  });
});
