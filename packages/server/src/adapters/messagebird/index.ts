import type { SmsGateway } from "../../capabilities/auth/sms/ports.ts";
import { accountTrouble, assertSms, callSmsApi, field, formHeaders, idOf, refused, senseless } from "../sms/call.ts";

export interface MessagebirdOptions {
  /** `https://rest.messagebird.com` */
  readonly baseUrl: string;
  readonly accessKey: string;
  readonly originator: string;
  readonly timeoutMs: number;
}

/** Not allowed, and no balance (MessageBird docs, REST API errors). */
const ofTheAccount = new Set(["2", "25"]);

/** MessageBird's Messages API. */
export function messagebirdSms({ baseUrl, accessKey, originator, timeoutMs }: MessagebirdOptions): SmsGateway {
  const name = "MessageBird";
  return {
    name: "messagebird",
    async send({ to, body, channel }, signal) {
      assertSms(name, channel);
      const { status, json } = await callSmsApi({
        name,
        url: `${baseUrl}/messages`,
        headers: { ...formHeaders, Authorization: `AccessKey ${accessKey}` },
        // `auto` takes the phone's basic alphabet where that has all of the text.
        body: new URLSearchParams({ originator, body, recipients: to, type: "sms", datacoding: "auto" }).toString(),
        timeoutMs,
        signal,
      });
      const errors = field(json, "errors");
      if (Array.isArray(errors)) {
        const code = idOf(field(errors[0], "code")) ?? String(status);
        throw ofTheAccount.has(code) || status === 401 ? accountTrouble(name, code) : refused(name, code);
      }
      if (status === 401 || status === 403) throw accountTrouble(name, status);
      const id = idOf(field(json, "id"));
      if (status >= 300 || id === null) throw senseless(name, status);
      if (field(field(json, "recipients"), "totalSentCount") === 0) throw refused(name, "sent to nobody");
      return { id };
    },
  };
}
