import type { Clock } from "../../kernel/clock.ts";
import { SettingError } from "../../kernel/settings.ts";
import { createCaptcha } from "./captcha/index.ts";
import type { AuthSettings } from "./context.ts";
import { assertHooks } from "./hooks/index.ts";
import { createProviders } from "./oauth/registry.ts";
import { assertRedirectSettings } from "./redirects.ts";
import { assertCountries, assertTestNumbers } from "./sms/index.ts";
import { smsTemplate } from "./sms/template.ts";
import { appAssociations } from "./webauthn/app-associations.ts";
import { relyingPartyOf } from "./webauthn/relying-party.ts";

/**
 * Everything in the settings of sign-in that would keep the server from starting, a message for each room. Asked before anything is
 * opened: the rooms themselves are built when the database is up and migrated, and that is late to hear of a typing error.
 */
export function authSettingErrors(settings: AuthSettings, clock: Clock): readonly SettingError[] {
  const rooms: readonly (() => unknown)[] = [
    () => assertRedirectSettings(settings),
    () => createProviders({ settings, clock }),
    () => assertHooks(settings),
    () => createCaptcha({ settings, clock, observe: () => {} }),
    () => assertTestNumbers(settings, clock.nowMs()),
    () => assertCountries(settings),
    () => smsTemplate(settings.smsTemplate),
    () => [relyingPartyOf(settings), appAssociations(settings)],
  ];
  return rooms.flatMap((assert) => settingErrorOf(assert));
}

/** What `read` has to say against the settings, if anything. */
export function settingErrorOf(read: () => unknown): readonly SettingError[] {
  try {
    read();
    return [];
  } catch (error) {
    if (error instanceof SettingError) return [error];
    throw error;
  }
}
