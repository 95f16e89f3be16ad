import type { SmsGateway } from "../../capabilities/auth/sms/ports.ts";
import {
  accountTrouble,
  assertSms,
  callSmsApi,
  field,
  formHeaders,
  idOf,
  isAscii,
  refused,
  senseless,
} from "../sms/call.ts";

export interface TextlocalOptions {
  /** `https://api.textlocal.in` */
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly sender: string;
  readonly timeoutMs: number;
}

/** Login, credits, sender (Textlocal docs, Send SMS). */
const ofTheAccount = new Set(["3", "7", "43", "44"]);

/** Textlocal's Send API. It answers 200 to whatever it refuses, and says so in `errors`. */
export function textlocalSms({ baseUrl, apiKey, sender, timeoutMs }: TextlocalOptions): SmsGateway {
  const name = "Textlocal";
  return {
    name: "textlocal",
    async send({ to, body, channel }, signal) {
      assertSms(name, channel);
      const form = new URLSearchParams({ apikey: apiKey, sender, message: body, numbers: to });
      if (!isAscii(body)) form.set("unicode", "true");
      const { status, json } = await callSmsApi({
        name,
        url: `${baseUrl}/send/`,
        headers: formHeaders,
        body: form.toString(),
        timeoutMs,
        signal,
      });
      const errors = field(json, "errors");
      if (Array.isArray(errors) && errors.length > 0) {
        const code = idOf(field(errors[0], "code")) ?? String(status);
        throw ofTheAccount.has(code) ? accountTrouble(name, code) : refused(name, code);
      }
      if (field(json, "status") !== "success") throw senseless(name, status);
      const messages = field(json, "messages");
      return { id: Array.isArray(messages) ? idOf(field(messages[0], "id")) : null };
    },
  };
}
