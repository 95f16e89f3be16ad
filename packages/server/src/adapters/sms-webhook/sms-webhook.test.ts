import { describe, expect, test } from "vitest";
import { answering, message, smsGatewayContract, timeoutMs } from "../../capabilities/auth/sms/gateway.contract.ts";
import { isSignedWebhook } from "../../platform/outbound/index.ts";
import { webhookSms } from "./index.ts";

const key = Buffer.from("0123456789abcdef0123456789abcdef");
const oldKey = Buffer.alloc(32, 1);
const clock = { nowMs: () => 1_795_000_000_500 };
const create = (url: string) => webhookSms({ url, keys: [key, oldKey], timeoutMs, clock });

describe("the SMS webhook", () => {
  // A server of one's own need not answer with anything: what is strange of a vendor is not of it.
  smsGatewayContract(
    {
      create,
      accepted: { status: 202, body: { id: "mine-1" } },
      id: "mine-1",
      refused: [400, 410, 422].map((status) => ({ status, body: { error: "no" } })),
      accountTrouble: [401, 403, 404].map((status) => ({ status, body: "" })),
      busy: [408, 425].map((status) => ({ status, body: "" })),
      secrets: [key.toString(), key.toString("base64")],
      takesAnyAnswer: true,
    },
    (server) => {
      test("gets what a message is, signed", async () => {
        server.answer = answering({ status: 200, body: "ok" });
        expect(await create(`${server.url}/sms?from=mainstay`).send({ ...message, channel: "whatsapp" })).toEqual({
          id: null,
        });
        const { path, headers, body } = server.asked.at(-1)!;
        expect(path).toBe("/sms?from=mainstay");
        expect(JSON.parse(body)).toEqual({ ...message, to: "+4915112345678", channel: "whatsapp" });
        expect(headers).toMatchObject({ "webhook-id": message.id, "webhook-timestamp": "1795000000" });
        for (const by of [key, oldKey]) {
          expect(isSignedWebhook({ headers, body, keys: [by], nowMs: clock.nowMs() })).toBe(true);
        }
      });

      test("gets another attempt under the same id", async () => {
        server.answer = answering({ status: 500, body: "" });
        await create(server.url)
          .send(message)
          .catch(() => {});
        server.answer = answering({ status: 200, body: "" });
        await create(server.url).send(message);
        expect(server.asked.slice(-2).map(({ headers }) => headers["webhook-id"])).toEqual([message.id, message.id]);
      });
    },
  );
});
