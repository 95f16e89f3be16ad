import { isLoopback } from "../../../kernel/loopback.ts";
import { SettingError } from "../../../kernel/settings.ts";

/**
 * Whether there is an inbox. What it shows opens accounts, so it is there for this machine alone.
 * @throws SettingError when it is asked for where it must not be
 */
export function hasInbox(needs: {
  readonly settings: { readonly inbox: "auto" | "on" | "off"; readonly environment: string | null };
  /** True under `mainstay dev`. */
  readonly isDevelopment: boolean;
  /** The address the server listens on. */
  readonly host: string;
}): boolean {
  const { settings, isDevelopment, host } = needs;
  if (settings.inbox === "off") return false;
  const obstacle =
    settings.environment === "production"
      ? "the environment is production"
      : isLoopback(host)
        ? null
        : `the server listens on ${host}, where others can reach it`;
  if (settings.inbox === "auto") return isDevelopment && obstacle === null;
  if (obstacle === null) return true;
  throw new SettingError(
    `MAINSTAY_INBOX is on, and ${obstacle}: the inbox shows codes that open accounts. Turn it off.`,
  );
}
