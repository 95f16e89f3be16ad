import type { Clock } from "../../../kernel/clock.ts";
import { reasonOf } from "../../../kernel/reason.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import type { IsBlocked } from "../password.ts";
import { createCommonPasswords } from "./common-passwords.ts";
import { breachedProblems } from "./problems.ts";
import { createRanges } from "./ranges.ts";
import type { breachedSettings } from "./settings.ts";

/**
 * Whether a password is known to attackers (NIST SP 800-63B-4 §3.1.1.2): on the list that comes with the server, or in a breach that
 * the service knows of. The list is asked first; without the service it is all there is.
 */
export function createBreached(needs: {
  readonly settings: Values<typeof breachedSettings>;
  readonly clock: Clock;
  readonly observe: Observe;
}): IsBlocked {
  const { settings, clock, observe } = needs;
  const isCommon = settings.passwordBlocklist ? createCommonPasswords() : () => false;
  const ranges = settings.passwordHibp
    ? createRanges({ url: settings.passwordHibpUrl, timeoutMs: settings.passwordHibpTimeoutMs, clock })
    : null;
  return async (password) => {
    if (isCommon(password)) return true;
    if (ranges === null) return false;
    try {
      return await ranges.has(password);
    } catch (error) {
      const message = `breached passwords not asked for: ${reasonOf(error)}`;
      observe({ kind: "warning", area: "auth", message });
      if (settings.passwordHibpFailClosed) throw breachedProblems.unchecked(error);
      return false;
    }
  };
}
