import { describe, expect, test } from "vitest";
import { answering, message, smsGatewayContract, timeoutMs } from "../../capabilities/auth/sms/gateway.contract.ts";
import { type TwilioOptions, twilioSms } from "./index.ts";

const options: TwilioOptions = {
  baseUrl: "",
  accountSid: "AC00112233",
  authToken: "the-token",
  sender: "+15005550006",
  contentSid: null,
  timeoutMs,
};
const accepted = { status: 201, body: { sid: "SM123", status: "queued", error_code: null } };
const error = (status: number, code: number) => ({
  status,
  body: {
    code,
    message: "The number +4915112345678 …",
    more_info: `https://www.twilio.com/docs/errors/${code}`,
    status,
  },
});

describe("Twilio", () =>
  smsGatewayContract(
    {
      create: (baseUrl) => twilioSms({ ...options, baseUrl }),
      accepted,
      id: "SM123",
      refused: [
        error(400, 21211),
        error(400, 21614),
        error(400, 21610),
        error(403, 21408),
        { status: 201, body: { sid: "SM124", status: "failed", error_code: 30006 } },
      ],
      accountTrouble: [
        error(401, 20003),
        error(400, 21606),
        error(404, 20404),
        { status: 401, body: "" },
        { status: 404, body: "gone" },
      ],
      secrets: ["the-token"],
    },
    (server) => {
      const ask = async (given: Partial<TwilioOptions>, channel: "sms" | "whatsapp") => {
        server.answer = answering(accepted);
        await twilioSms({ ...options, ...given, baseUrl: server.url }).send({ ...message, channel });
        const asked = server.asked.at(-1)!;
        return { ...asked, form: Object.fromEntries(new URLSearchParams(asked.body)) };
      };

      test("gets account, sender, number and text", async () => {
        const { path, headers, form } = await ask({}, "sms");
        expect(path).toBe("/2010-04-01/Accounts/AC00112233/Messages.json");
        expect(headers.authorization).toBe(`Basic ${Buffer.from("AC00112233:the-token").toString("base64")}`);
        expect(form).toEqual({ To: "+4915112345678", From: "+15005550006", Body: "Your code is 987654" });
      });

      test("gets a messaging service by its own name", async () => {
        const { form } = await ask({ sender: "MG998877" }, "sms");
        expect(form).toEqual({ To: "+4915112345678", MessagingServiceSid: "MG998877", Body: "Your code is 987654" });
      });

      test("gets WhatsApp messages from number to number, as a template with the code where there is one", async () => {
        expect((await ask({}, "whatsapp")).form).toEqual({
          To: "whatsapp:+4915112345678",
          From: "whatsapp:+15005550006",
          Body: "Your code is 987654",
        });
        expect((await ask({ sender: "MG998877", contentSid: "HX55" }, "whatsapp")).form).toEqual({
          To: "whatsapp:+4915112345678",
          MessagingServiceSid: "MG998877",
          ContentSid: "HX55",
          ContentVariables: '{"1":"987654"}',
        });
      });
    },
  ));
