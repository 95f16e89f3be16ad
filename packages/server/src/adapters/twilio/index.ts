import type { OutgoingSms, SmsGateway } from "../../capabilities/auth/sms/ports.ts";
import { accountTrouble, callSmsApi, field, formHeaders, idOf, refused, senseless } from "../sms/call.ts";

export interface TwilioOptions {
  /** `https://api.twilio.com` */
  readonly baseUrl: string;
  readonly accountSid: string;
  readonly authToken: string;
  /** A messaging service (`MG…`), a number with `+`, or a sender name. */
  readonly sender: string;
  /** The template WhatsApp wants for a message that begins a conversation; its variable 1 is the code. */
  readonly contentSid: string | null;
  readonly timeoutMs: number;
}

/** The sender we name is not ours, or cannot send (Twilio docs, Error and Warning Dictionary). */
const senderCodes = new Set([21212, 21603, 21606, 21659, 21660, 21701, 21703, 21705, 63007]);
/** 20xxx is about requests and accounts in general, whatever the message. */
const isOfTheAccount = (code: number): boolean => (code >= 20_000 && code < 21_000) || senderCodes.has(code);

/** Twilio's Messages API (Twilio docs, Create a Message). */
export function twilioSms(options: TwilioOptions): SmsGateway {
  const { baseUrl, accountSid, authToken, timeoutMs } = options;
  const name = "Twilio";
  return {
    name: "twilio",
    async send(message, signal) {
      const { status, json } = await callSmsApi({
        name,
        url: `${baseUrl}/2010-04-01/Accounts/${encodeURIComponent(accountSid)}/Messages.json`,
        headers: {
          ...formHeaders,
          Authorization: `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString("base64")}`,
        },
        body: formOf(options, message).toString(),
        timeoutMs,
        signal,
      });
      if (status === 200 || status === 201) {
        const id = idOf(field(json, "sid"));
        if (id === null) throw senseless(name, status);
        const state = field(json, "status");
        if (state === "failed" || state === "undelivered") throw judge(field(json, "error_code"), status);
        return { id };
      }
      throw judge(field(json, "code"), status);
    },
  };

  function judge(code: unknown, status: number): Error {
    const number = Number(code ?? Number.NaN);
    if (isOfTheAccount(number)) return accountTrouble(name, number);
    // No such number, not a mobile one, unsubscribed, a country the account does not send to, a text too long …
    if (Number.isInteger(number) && status !== 401) return refused(name, number);
    return status === 401 || status === 403 || status === 404 ? accountTrouble(name, status) : senseless(name, status);
  }
}

function formOf({ sender, contentSid }: TwilioOptions, { to, body, channel, otp }: OutgoingSms): URLSearchParams {
  const prefix = channel === "whatsapp" ? "whatsapp:" : "";
  const form = new URLSearchParams({ To: `${prefix}+${to}` });
  if (sender.startsWith("MG")) form.set("MessagingServiceSid", sender);
  else form.set("From", /^\+?[1-9]\d{1,14}$/.test(sender) ? `${prefix}${sender}` : sender);
  if (channel === "whatsapp" && contentSid !== null) {
    form.set("ContentSid", contentSid);
    form.set("ContentVariables", JSON.stringify({ 1: otp }));
  } else {
    form.set("Body", body);
  }
  return form;
}
