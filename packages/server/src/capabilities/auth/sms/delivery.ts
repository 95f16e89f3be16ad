import type { Clock } from "../../../kernel/clock.ts";
import { DeliveryError } from "../../../platform/outbox/index.ts";
import type { AuthSettings } from "../context.ts";
import type { AuthSms } from "../messages.ts";
import type { SentSms, SmsGateway } from "./ports.ts";
import { smsTemplate } from "./template.ts";
import { testOtpOf } from "./test-numbers.ts";

/** What the outbox does with a text message. */
export interface SmsDelivery {
  /**
   * Writes the message and hands it to the gateway, once.
   * @param id the outbox's, the same at every try
   * @throws DeliveryError as the gateway does
   */
  deliver(sms: AuthSms, id: string, signal?: AbortSignal): Promise<SentSms>;
}

/** @throws SettingError when the template cannot be read */
export function createSmsDelivery(needs: {
  /** `null` where nobody sends text messages. */
  readonly gateway: SmsGateway | null;
  readonly settings: Pick<AuthSettings, "smsTemplate" | "smsTestOtp" | "smsTestOtpValidUntil">;
  readonly clock: Clock;
}): SmsDelivery {
  const { gateway, settings, clock } = needs;
  const write = smsTemplate(settings.smsTemplate);
  return {
    async deliver(sms, id, signal) {
      // Whoever made the code has asked already; here nothing gets past, whatever they did.
      if (testOtpOf(settings, sms.to, clock.nowMs()) !== null) return { id: null };
      if (gateway === null) {
        throw new DeliveryError("Nobody sends text messages: the setting smsProvider is empty.", { isFinal: true });
      }
      return gateway.send({ id, to: sms.to, body: write(sms.otp), channel: sms.channel, otp: sms.otp }, signal);
    },
  };
}
