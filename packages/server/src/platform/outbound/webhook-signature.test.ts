import { describe, expect, test } from "vitest";
import { SettingError } from "../../kernel/settings.ts";
import { isSignedWebhook, webhookHeaders, webhookKeys } from "./webhook-signature.ts";

// The example that Standard Webhooks' own libraries are tested with.
const vector = {
  secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  nowMs: 1_614_265_330_000,
  body: '{"test": 2432232314}',
  signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};
const keys = webhookKeys("SECRET", vector.secret);
const other = Buffer.alloc(32, 1);
const signed = (by: readonly Buffer[] = keys) => webhookHeaders({ ...vector, keys: by });
const isSigned = (changes: Partial<Parameters<typeof isSignedWebhook>[0]> = {}) =>
  isSignedWebhook({ headers: { ...signed() }, body: vector.body, keys, nowMs: vector.nowMs, ...changes });

describe("a webhook's signature", () => {
  test("is that of Standard Webhooks", () => {
    expect(signed()).toEqual({
      "webhook-id": vector.id,
      "webhook-timestamp": "1614265330",
      "webhook-signature": vector.signature,
    });
    expect(isSigned()).toBe(true);
    expect(isSigned({ body: Buffer.from(vector.body) })).toBe(true);
  });

  test("is made with every key, and one that fits is enough", () => {
    const both = { ...signed([other, ...keys]) };
    expect(both["webhook-signature"].split(" ")[1]).toBe(vector.signature);
    expect(isSigned({ headers: both })).toBe(true);
    expect(isSigned({ headers: both, keys: [other] })).toBe(true);
    expect(isSigned({ keys: [other, ...keys] })).toBe(true);
    expect(isSigned({ headers: both, keys: [Buffer.alloc(32, 2)] })).toBe(false);
    const foreign = { ...signed(), "webhook-signature": `v1a,AAAA v2,zzzz ${vector.signature}` };
    expect(isSigned({ headers: foreign })).toBe(true);
  });

  test.each([
    ["no headers", {}],
    ["another id", { ...signed(), "webhook-id": "msg_other" }],
    ["no id", { ...signed(), "webhook-id": "" }],
    ["another time", { ...signed(), "webhook-timestamp": "1614265331" }],
    ["no time", { ...signed(), "webhook-timestamp": "soon" }],
    ["no signature", { ...signed(), "webhook-signature": "" }],
    ["half a signature", { ...signed(), "webhook-signature": vector.signature.slice(0, 20) }],
    ["an unknown version", { ...signed(), "webhook-signature": vector.signature.replace("v1", "v2") }],
    ["a version without signature", { ...signed(), "webhook-signature": "v1," }],
  ])("does not fit %s", (_what, headers) => {
    expect(isSigned({ headers })).toBe(false);
  });

  test("does not fit another text, nor another key", () => {
    expect(isSigned({ body: `${vector.body} ` })).toBe(false);
    expect(isSigned({ keys: [other] })).toBe(false);
    expect(isSigned({ keys: [] })).toBe(false);
  });

  test("is refused with a dot in the id, which would move what is signed over to the next field", () => {
    expect(isSigned({ headers: { ...webhookHeaders({ ...vector, id: "a.1", keys }) } })).toBe(false);
  });

  test("is of its time, five minutes to either side", () => {
    for (const [awayMs, isValid] of [
      [300_000, true],
      [-300_000, true],
      [301_000, false],
      [-301_000, false],
    ] as const) {
      expect([awayMs, isSigned({ nowMs: vector.nowMs + awayMs })]).toEqual([awayMs, isValid]);
    }
  });
});

describe("keys", () => {
  const long = Buffer.alloc(64, 3).toString("base64");
  test("come with the scheme's version and without, and several at once", () => {
    expect(webhookKeys("S", `v1,whsec_${long}`)).toEqual([Buffer.alloc(64, 3)]);
    expect(webhookKeys("S", `${vector.secret} | v1,whsec_${long}`)).toEqual([...keys, Buffer.alloc(64, 3)]);
    expect(webhookKeys("S", `${vector.secret}|`)).toEqual(keys);
  });

  test.each([
    "",
    "secret",
    "whsec_",
    "v2,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    `whsec_${Buffer.alloc(23).toString("base64")}`,
    `whsec_${Buffer.alloc(65).toString("base64")}`,
    "|",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_",
  ])("%j is refused without being repeated", (text) => {
    expect(() => webhookKeys("MAINSTAY_S", text)).toThrow(SettingError);
    expect(() => webhookKeys("MAINSTAY_S", text)).toThrow(/^MAINSTAY_S must be of the form v1,whsec_<base64/);
  });
});
