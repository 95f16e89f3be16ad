import { describe, expect, test } from "vitest";
import { answering, message, smsGatewayContract, timeoutMs } from "../../capabilities/auth/sms/gateway.contract.ts";
import { messagebirdSms } from "./index.ts";

const options = { accessKey: "the-key", originator: "Mainstay", timeoutMs };
const accepted = { status: 201, body: { id: "e8077d80", recipients: { totalCount: 1, totalSentCount: 1 } } };
const error = (status: number, code: number) => ({
  status,
  body: { errors: [{ code, description: "4915112345678 is …", parameter: "recipients" }] },
});

describe("MessageBird", () =>
  smsGatewayContract(
    {
      create: (baseUrl) => messagebirdSms({ ...options, baseUrl }),
      accepted,
      id: "e8077d80",
      refused: [error(422, 9), error(422, 10), { status: 201, body: { id: "x", recipients: { totalSentCount: 0 } } }],
      accountTrouble: [error(401, 2), error(402, 25), { status: 403, body: {} }],
      secrets: ["the-key"],
    },
    (server) => {
      test("gets key, sender, number and text", async () => {
        server.answer = answering(accepted);
        await messagebirdSms({ ...options, baseUrl: server.url }).send(message);
        const { path, headers, body } = server.asked.at(-1)!;
        expect([path, headers.authorization]).toEqual(["/messages", "AccessKey the-key"]);
        expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
          originator: "Mainstay",
          recipients: "4915112345678",
          body: "Your code is 987654",
          type: "sms",
          datacoding: "auto",
        });
      });

      test("sends no WhatsApp messages", async () => {
        const sending = messagebirdSms({ ...options, baseUrl: server.url }).send({ ...message, channel: "whatsapp" });
        await expect(sending).rejects.toMatchObject({ isFinal: true });
      });
    },
  ));
