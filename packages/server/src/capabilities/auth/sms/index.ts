import type { Clock } from "../../../kernel/clock.ts";
import type { AuthSettings } from "../context.ts";
import type { Messages } from "../messages.ts";
import type { SmsBudget } from "./budget.ts";
import { testOtpOf } from "./test-numbers.ts";

export { assertCountries, assertCountryServed, countVerifiedSms, createSmsBudget, type SmsBudget } from "./budget.ts";
export { createSmsDelivery, type SmsDelivery } from "./delivery.ts";
export { assertTestNumbers, testOtpOf } from "./test-numbers.ts";

/** GoTrue's `message_id` of a message that was never sent. */
const testMessageId = "test-otp";

/** `messages`, none of which is a text message beyond the budget or to a number with a fixed code. */
export function withinBudget(
  messages: Messages,
  needs: { readonly budget: SmsBudget; readonly settings: AuthSettings; readonly clock: Clock },
): Messages {
  const { budget, settings, clock } = needs;
  return {
    mail: (tx, mail) => messages.mail(tx, mail),
    async sms(tx, sms) {
      if (testOtpOf(settings, sms.to, clock.nowMs()) !== null) return testMessageId;
      await budget.take(tx, sms.to);
      return messages.sms(tx, sms);
    },
  };
}
