import { describe, expect, test } from "vitest";
import { answering, message, smsGatewayContract, timeoutMs } from "../../capabilities/auth/sms/gateway.contract.ts";
import { textlocalSms } from "./index.ts";

const options = { apiKey: "the-key", sender: "MNSTAY", timeoutMs };
const accepted = { status: 200, body: { status: "success", messages: [{ id: 1151346216, recipient: 4915112345678 }] } };
const error = (code: number) => ({
  status: 200,
  body: { status: "failure", errors: [{ code, message: "4915112345678 is …" }] },
});

describe("Textlocal", () =>
  smsGatewayContract(
    {
      create: (baseUrl) => textlocalSms({ ...options, baseUrl }),
      accepted,
      id: "1151346216",
      refused: [error(4), error(32), error(51)],
      accountTrouble: [error(3), error(7), error(43)],
      secrets: ["the-key"],
    },
    (server) => {
      test("gets key, sender, number and text, and is told when the text is not plain", async () => {
        for (const [body, extra] of [
          ["Your code is 987654", {}],
          ["कोड 987654", { unicode: "true" }],
        ] as const) {
          server.answer = answering(accepted);
          await textlocalSms({ ...options, baseUrl: server.url }).send({ ...message, body });
          const asked = server.asked.at(-1)!;
          expect(asked.path).toBe("/send/");
          expect(Object.fromEntries(new URLSearchParams(asked.body))).toEqual({
            apikey: "the-key",
            sender: "MNSTAY",
            numbers: "4915112345678",
            message: body,
            ...extra,
          });
        }
      });

      test("sends no WhatsApp messages", async () => {
        const sending = textlocalSms({ ...options, baseUrl: server.url }).send({ ...message, channel: "whatsapp" });
        await expect(sending).rejects.toMatchObject({ isFinal: true });
      });
    },
  ));
