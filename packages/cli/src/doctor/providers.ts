import { type Check, type Finding, fail, ok, warn } from "./finding.ts";

const dayMs = 86_400_000;
const soonDays = 30;

/** Sign-in with providers: each that is on has all it needs. */
export const checkProviders: Check = async ({ config }) => {
  if (config === null) return [];
  const preflight = await import("@mainstay/server/preflight");
  const settings = preflight.authSettingsOf(config);
  // What cannot be read is refused by the settings' own check.
  if (preflight.settingErrors(config, { isDevelopment: false }).length > 0) return [];
  const findings: Finding[] = preflight
    .idleProviders(settings)
    .map((name) =>
      fail(
        "providers",
        `${name} is on and has no client id, so it stays off`,
        name.startsWith("custom:")
          ? `Give ${name} a client_id in MAINSTAY_OAUTH_PROVIDERS.`
          : `Set MAINSTAY_OAUTH_${name.toUpperCase()}_CLIENT_ID.`,
      ),
    );
  for (const [setting, value] of Object.entries(settings)) {
    const name = /^(\w+)SkipNonceCheck$/.exec(setting)?.[1];
    if (name === undefined || value !== true) continue;
    findings.push(
      warn(
        "providers",
        `${setting} is on: tokens of ${name} are taken whatever their nonce is, and whoever finds one can use it`,
        "Have the app send the nonce, then turn it off.",
      ),
    );
  }
  const end = expiryOf(String(settings.appleSecret ?? ""));
  if (
    settings.appleEnabled &&
    settings.applePrivateKey === null &&
    end !== null &&
    end - Date.now() < soonDays * dayMs
  ) {
    const day = new Date(end).toISOString().slice(0, 10);
    findings.push(
      (end < Date.now() ? fail : warn)(
        "providers",
        `Apple's client secret ${end < Date.now() ? "ended" : "ends"} on ${day}`,
        "Give the key that signs it, which has no end: MAINSTAY_OAUTH_APPLE_TEAM_ID, …_KEY_ID, …_PRIVATE_KEY.",
      ),
    );
  }
  if (findings.length > 0) return findings;
  const names = [...preflight.enabledProviders(settings)];
  if (names.length === 0) return [];
  const callback = `${settings.publicUrl.replace(/\/+$/, "").replace(/\/auth\/v1$/, "")}/auth/v1/callback`;
  return [ok("providers", `${names.join(", ")}; they send people back to ${callback}`)];
};

/** Apple's client secrets are tokens that say when they end. Milliseconds; `null` for what is none. */
function expiryOf(secret: string): number | null {
  const [, body = ""] = secret.split(".");
  try {
    const { exp }: { exp?: unknown } = JSON.parse(Buffer.from(body, "base64url").toString());
    return typeof exp === "number" ? exp * 1000 : null;
  } catch {
    return null;
  }
}
