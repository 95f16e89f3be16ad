import { createHmac } from "node:crypto";
import { reasonOf } from "../../../kernel/reason.ts";
import { SettingError } from "../../../kernel/settings.ts";
import type { TokenSigner } from "../../../platform/identity/types.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext, AuthSettings } from "../context.ts";
import { problems } from "../problems.ts";
import { countries, countryOf } from "./calling-codes.ts";
import { smsProblems } from "./problems.ts";
import { type Scope, smsStore } from "./store.ts";
import { testOtpOf } from "./test-numbers.ts";

/**
 * How many text messages there may be. Each costs money, and some callers ask for them to share in it (traffic pumping): limits by
 * network do not hold those back who have many networks.
 */
export interface SmsBudget {
  /**
   * Counts one message, in the transaction that stores its code: rolled back, it was never counted. Rows stay locked until its end,
   * so that all nodes together send what the settings say and no more.
   * @param phone E.164 digits without `+`
   * @throws Problem 422 `sms_send_failed` for a country that gets none, 429 `over_sms_send_rate_limit` when a budget is used up
   */
  take(tx: Queryable, phone: string): Promise<void>;
}

/** @throws SettingError when a country of the settings is none */
export function createSmsBudget(needs: {
  readonly settings: AuthSettings;
  readonly signer: Pick<TokenSigner, "deriveKey">;
  readonly observe: Observe;
}): SmsBudget {
  const { settings, signer, observe } = needs;
  assertCountries(settings);
  const limits: Readonly<Record<Scope, number>> = {
    project: settings.smsBudgetProject,
    country: settings.smsBudgetCountry,
    number: settings.smsBudgetNumber,
  };
  const { smsConversionMinPercent: minPercent, smsConversionAfter: after } = settings;
  const key = signer.deriveKey("auth/sms-budget");

  return {
    async take(tx, phone) {
      assertCountryServed(settings, phone);
      if (!settings.rateLimits) return;
      const country = countryOf(phone);
      const scopes: (readonly [Scope, string])[] = [];
      if (limits.project > 0) scopes.push(["project", ""]);
      if (limits.country > 0 || minPercent > 0) scopes.push(["country", country]);
      if (limits.number > 0) scopes.push(["number", createHmac("sha256", key).update(phone).digest("base64url")]);
      if (scopes.length === 0) return;

      const counted = await smsStore.count(tx, scopes);
      for (const { scope, sent, secondsLeft } of counted) {
        const limit = limits[scope];
        if (limit === 0 || sent < limit) continue;
        if (sent > limit) throw problems.overSmsRate(secondsLeft);
        if (scope !== "number") tell(observe, `today's ${limit} text messages ${wordsFor(scope, country)} are used up`);
      }
      if (minPercent > 0) {
        const { sent, verified, secondsLeft } = await smsStore.conversion(tx, country);
        // The one just counted cannot have come back.
        if (sent > after && verified * 100 < (sent - 1) * minPercent) {
          throw problems.overSmsRate(secondsLeft);
        }
        // Told once, with the last message before it: the refused ones are rolled back and leave no trace.
        if (sent === after && verified * 100 < sent * minPercent) {
          tell(observe, `of ${sent} codes sent to ${country} ${verified} came back: it pauses until more do`);
        }
      }
      if (counted.some(({ scope, sent }) => scope !== "number" && sent === 1)) await smsStore.sweep(tx);
    },
  };
}

/**
 * Told by whoever has accepted a code that was sent to `phone`: a country whose codes never come back is being pumped. To be called
 * when the transaction is through, since senders hold the rows of people and then want the country's. Never fails: a count that is
 * lost is no reason to turn somebody away.
 */
export async function countVerifiedSms(
  { db, settings, observe, clock }: Pick<AuthContext, "db" | "settings" | "observe" | "clock">,
  phone: string,
): Promise<void> {
  if (settings.smsConversionMinPercent === 0 || testOtpOf(settings, phone, clock.nowMs()) !== null) return;
  await smsStore.countVerified(db, countryOf(phone)).catch((error: unknown) => {
    tell(observe, `a code that came back was not counted: ${reasonOf(error)}`);
  });
}

/**
 * Whether text messages go to the country of this number at all. Asked before anybody looks whether there is an account, so that
 * both are refused alike (threat A16).
 * @throws Problem 422 `sms_send_failed`
 */
export function assertCountryServed(settings: CountrySettings, phone: string): void {
  const country = countryOf(phone);
  const isNamed = (codes: readonly string[]): boolean => codes.some((code) => code.toUpperCase() === country);
  const { smsAllowedCountries: allowed, smsDeniedCountries: denied } = settings;
  if (isNamed(denied) || (allowed.length > 0 && !isNamed(allowed))) throw smsProblems.countryNotAllowed();
}

type CountrySettings = Pick<AuthSettings, "smsAllowedCountries" | "smsDeniedCountries">;

/** @throws SettingError for what is the code of no country */
export function assertCountries(settings: CountrySettings): void {
  for (const name of ["smsAllowedCountries", "smsDeniedCountries"] as const) {
    const stray = settings[name].find((code) => !countries.has(code.toUpperCase()));
    if (stray === undefined) continue;
    throw new SettingError(`${name} has "${stray}", which is no country. Use ISO 3166 codes of two letters: DE, US.`);
  }
}

const wordsFor = (scope: Scope, country: string): string => (scope === "country" ? `to ${country}` : "of the project");

const tell = (observe: Observe, message: string): void => observe({ kind: "warning", area: "auth", message });
