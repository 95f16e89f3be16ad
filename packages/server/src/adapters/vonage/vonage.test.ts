import { describe, expect, test } from "vitest";
import { answering, message, smsGatewayContract, timeoutMs } from "../../capabilities/auth/sms/gateway.contract.ts";
import { vonageSms } from "./index.ts";

const options = { apiKey: "the-key", apiSecret: "the-secret", from: "Mainstay", timeoutMs };
const says = (status: string) => ({
  status: 200,
  body: { "message-count": "1", messages: [{ status, "message-id": "0A00", "error-text": "to 4915112345678" }] },
});

describe("Vonage", () =>
  smsGatewayContract(
    {
      create: (baseUrl) => vonageSms({ ...options, baseUrl }),
      accepted: says("0"),
      id: "0A00",
      refused: ["3", "6", "7", "29"].map(says),
      accountTrouble: [...["4", "8", "9", "15"].map(says), { status: 401, body: { title: "Unauthorized" } }],
      busy: ["1", "5", "10"].map(says),
      secrets: ["the-key", "the-secret"],
    },
    (server) => {
      const ask = async (body: string) => {
        server.answer = answering(says("0"));
        await vonageSms({ ...options, baseUrl: server.url }).send({ ...message, body });
        const asked = server.asked.at(-1)!;
        return { ...asked, form: Object.fromEntries(new URLSearchParams(asked.body)) };
      };

      test("gets key, sender, number and text, and is told when the text is not plain", async () => {
        const plain = await ask(message.body);
        expect(plain.path).toBe("/sms/json");
        const common = { api_key: "the-key", api_secret: "the-secret", from: "Mainstay", to: "4915112345678" };
        expect(plain.form).toEqual({ ...common, text: "Your code is 987654" });
        expect((await ask("Kodunuz: 987654 ✓")).form).toEqual({
          ...common,
          text: "Kodunuz: 987654 ✓",
          type: "unicode",
        });
      });

      test("sends no WhatsApp messages, and is not asked to", async () => {
        const before = server.asked.length;
        const sending = vonageSms({ ...options, baseUrl: server.url }).send({ ...message, channel: "whatsapp" });
        await expect(sending).rejects.toMatchObject({ isFinal: true });
        expect(server.asked).toHaveLength(before);
      });
    },
  ));
