import type { SmsGateway } from "../../capabilities/auth/sms/ports.ts";
import type { Clock } from "../../kernel/clock.ts";
import { webhookHeaders } from "../../platform/outbound/index.ts";
import { accountTrouble, callSmsApi, field, idOf, refused, senseless } from "../sms/call.ts";

export interface SmsWebhookOptions {
  readonly url: string;
  /** Each signs; several while they are being changed. */
  readonly keys: readonly Buffer[];
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Refusals of the sender or the address, which hold for any message. 408 and 425 are none: the request came at a bad moment. */
const ofTheAccount = new Set([401, 403, 404, 405]);
const passing = new Set([408, 425]);

/**
 * A server of the app's own that sends text messages: POST with `{id, to, body, otp, channel}`, `to` with `+`, signed by Standard
 * Webhooks. Any 2xx takes it, an `id` in the answer is kept; 400, 422 and their like refuse this message for good. `webhook-id` is the
 * same at every attempt.
 */
export function webhookSms({ url, keys, timeoutMs, clock }: SmsWebhookOptions): SmsGateway {
  const name = "The SMS webhook";
  return {
    name: "webhook",
    async send({ id, to, body, otp, channel }, signal) {
      const payload = JSON.stringify({ id, to: `+${to}`, body, otp, channel });
      const { status, json } = await callSmsApi({
        name,
        url,
        headers: {
          "Content-Type": "application/json",
          ...webhookHeaders({ id, nowMs: clock.nowMs(), body: payload, keys }),
        },
        body: payload,
        timeoutMs,
        signal,
      });
      if (status >= 200 && status < 300) return { id: idOf(field(json, "id")) };
      if (ofTheAccount.has(status)) throw accountTrouble(name, status);
      throw passing.has(status) || status < 400 ? senseless(name, status) : refused(name, status);
    },
  };
}
