import type { SmsGateway } from "../../capabilities/auth/sms/ports.ts";
import { DeliveryError } from "../../platform/outbox/index.ts";
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

export interface VonageOptions {
  /** `https://rest.nexmo.com` */
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly apiSecret: string;
  readonly from: string;
  readonly timeoutMs: number;
}

/** Throttled, internal error, too many binds (Vonage docs, SMS API errors). */
const passing = new Set(["1", "5", "10"]);
/** Credentials, account barred, no credit, not enabled, signature, sender. */
const ofTheAccount = new Set(["4", "8", "9", "11", "14", "15", "32"]);

/** Vonage's SMS API. It answers 200 to whatever it refuses, and says so in each message's `status`. */
export function vonageSms({ baseUrl, apiKey, apiSecret, from, timeoutMs }: VonageOptions): SmsGateway {
  const name = "Vonage";
  return {
    name: "vonage",
    async send({ to, body, channel }, signal) {
      assertSms(name, channel);
      const form = new URLSearchParams({ api_key: apiKey, api_secret: apiSecret, from, to, text: body });
      if (!isAscii(body)) form.set("type", "unicode");
      const reply = await callSmsApi({
        name,
        url: `${baseUrl}/sms/json`,
        headers: formHeaders,
        body: form.toString(),
        timeoutMs,
        signal,
      });
      if (reply.status === 401 || reply.status === 403) throw accountTrouble(name, reply.status);
      const messages = field(reply.json, "messages");
      const first: unknown = Array.isArray(messages) ? messages[0] : undefined;
      const status = idOf(field(first, "status"));
      if (status === null) throw senseless(name, reply.status);
      if (status === "0") return { id: idOf(field(first, "message-id")) };
      if (passing.has(status)) throw new DeliveryError(`${name} is busy (${status})`, { isProviderDown: true });
      throw ofTheAccount.has(status) ? accountTrouble(name, status) : refused(name, status);
    },
  };
}
