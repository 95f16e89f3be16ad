import { type Check, type Finding, ok, warn } from "./finding.ts";

/** Secrets that the providers publish for tests: with them everybody passes, or nobody does. */
const testSecrets = new Set([
  "0x0000000000000000000000000000000000000000",
  "1x0000000000000000000000000000000AA",
  "2x0000000000000000000000000000000AA",
  "3x0000000000000000000000000000000AA",
  "6LeIxAcTAAAAAGG-vFI1TnRWxMZNFuojJ4WifJWe",
]);

/** What stands between a public server and those who guess, and flood. */
export const checkProtection: Check = async ({ config }) => {
  if (config === null) return [];
  const { authSettingsOf, isLoopback, isPublic } = await import("@mainstay/server/preflight");
  const { auth, http } = config;
  const { publicUrl } = authSettingsOf(config);
  const findings: Finding[] = [];
  if (auth.captchaEnabled) {
    findings.push(
      testSecrets.has(auth.captchaSecret ?? "")
        ? warn(
            "captcha",
            `its secret is the one ${auth.captchaProvider} publishes for tests`,
            "Set MAINSTAY_CAPTCHA_SECRET to yours.",
          )
        : ok(
            "captcha",
            `${auth.captchaProvider}${auth.captchaHostnames.length > 0 ? `, solved on ${auth.captchaHostnames.join(", ")}` : ""}`,
          ),
    );
  }
  if (!isPublic(config)) return findings;
  if (auth.anonymousEnabled && !auth.captchaEnabled) {
    findings.push(
      warn(
        "captcha",
        "machines can make accounts without an address, and there is no captcha",
        "See MAINSTAY_CAPTCHA.",
      ),
    );
  }
  if (!auth.rateLimits) {
    findings.push(
      warn("limits", "sign-in is not limited, and others reach this server", "Unset MAINSTAY_AUTH_RATE_LIMITS."),
    );
  }
  // We speak no TLS, so somebody does it for us, and all requests come from there.
  const isBehindProxy =
    publicUrl.startsWith("https:") || (isLoopback(http.host) && !isLoopback(new URL(publicUrl).hostname));
  if (isBehindProxy && http.trustedProxies.length === 0) {
    findings.push(
      warn(
        "proxies",
        `${publicUrl} leads here through a proxy, and no proxy is believed: limits count everybody as one address`,
        "Set MAINSTAY_TRUSTED_PROXIES to the proxy's address or network, or to loopback.",
      ),
    );
  }
  return findings;
};

/** The inbox shows codes that open accounts. */
export const checkInbox: Check = async ({ config }) => {
  if (config === null || config.auth.inbox !== "on") return [];
  const { isPublic } = await import("@mainstay/server/preflight");
  if (!isPublic(config))
    return [ok("inbox", "mails and text messages are shown at /inbox, to callers of this machine")];
  return [
    warn(
      "inbox",
      "it is on, and others reach this server: it answers to this machine only, but belongs to development",
      "Unset MAINSTAY_INBOX.",
    ),
  ];
};
