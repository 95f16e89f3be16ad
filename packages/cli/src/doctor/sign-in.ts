import type { Config } from "@mainstay/server";
import { type Check, type Finding, fail, ok, warn } from "./finding.ts";

/** What the server would refuse to start with, all of it at once. */
export const checkSignIn: Check = async ({ config }) => {
  if (config === null) return [];
  const { settingErrors } = await import("@mainstay/server/preflight");
  const errors = settingErrors(config, { isDevelopment: false });
  if (errors.length === 0) return [ok("sign-in", "its settings can be used")];
  return errors.map(({ message }) =>
    fail("sign-in", message.replace(/\.$/, ""), "The server does not start like this."),
  );
};

/** Where everybody may have a page under a name of their own, so that a wildcard lets everybody in. */
const sharedHosts =
  /(?:^|\.)(?:vercel\.app|netlify\.app|pages\.dev|workers\.dev|github\.io|gitlab\.io|web\.app|firebaseapp\.com|herokuapp\.com|onrender\.com|fly\.dev|surge\.sh|ngrok\.io|ngrok-free\.app|trycloudflare\.com|exp\.direct)$/;

/** Where links in mails lead, and who may be led elsewhere. */
export const checkAddresses: Check = async ({ config }) => {
  if (config === null) return [];
  const { authSettingsOf, isLoopback, isPublic } = await import("@mainstay/server/preflight");
  const { publicUrl, siteUrl, redirectAllowList } = authSettingsOf(config);
  const findings: Finding[] = [];
  const hostOf = (url: string) => (URL.canParse(url) ? new URL(url).hostname : "");
  if (isPublic(config)) {
    if (isLoopback(hostOf(publicUrl))) {
      findings.push(
        warn(
          "public-url",
          `others reach this server, and links in mails name ${publicUrl}, which is their own machine`,
          "Set MAINSTAY_PUBLIC_URL to the address apps use: https://api.example.com",
        ),
      );
    }
    if (isLoopback(hostOf(siteUrl))) {
      findings.push(
        warn(
          "site-url",
          `links that ask for no other place lead to ${siteUrl}, which is each reader's own machine`,
          "Set MAINSTAY_SITE_URL to your app's address: https://app.example.com, or myapp://",
        ),
      );
    }
    for (const [name, url] of [
      ["public-url", publicUrl],
      ["site-url", siteUrl],
    ] as const) {
      if (!url.startsWith("http://") || isLoopback(hostOf(url))) continue;
      findings.push(
        warn(name, `${url} is not encrypted: codes and tokens can be read on the way`, "Use https, by a proxy."),
      );
    }
  }
  const shared = redirectAllowList.find((entry) => {
    const host = /^https?:\/\/([^/:?#]+)/i.exec(entry)?.[1]?.toLowerCase() ?? "";
    return host.includes("*") && sharedHosts.test(host);
  });
  if (shared !== undefined) {
    findings.push(
      warn(
        "redirects",
        `${shared} in the allow list: anybody can have a page there, and would be given sessions`,
        "Name the hosts that are yours in MAINSTAY_REDIRECT_ALLOW_LIST.",
      ),
    );
  }
  if (findings.length > 0) return findings;
  const more = redirectAllowList.length === 0 ? "nowhere else" : `${redirectAllowList.length} more places`;
  return [ok("redirects", `links lead to ${siteUrl} and ${more}`)];
};

/** Whether anybody can sign up with anybody's address, or nobody at all. */
export const checkConfirmation: Check = async ({ config }) => {
  if (config === null || !config.auth.emailEnabled) return [];
  const { authSettingsOf, isPublic } = await import("@mainstay/server/preflight");
  const { mailerAutoconfirm } = authSettingsOf(config);
  if (!mailerAutoconfirm) {
    if (sendsMail(config)) return [ok("confirmation", "new e-mail addresses have to be confirmed")];
    return [
      warn(
        "confirmation",
        "e-mail addresses have to be confirmed, and no mail leaves: outside of `mainstay dev` nobody can sign up",
        "Set MAINSTAY_SMTP_HOST and MAINSTAY_SMTP_FROM, or a send-email hook.",
      ),
    ];
  }
  const found = "e-mail addresses count as confirmed without a mail";
  if (!isPublic(config)) return [ok("confirmation", `${found}, which is right on this machine alone`)];
  return [
    warn(
      "confirmation",
      `${found}, and others reach this server: anybody can sign up with any address`,
      sendsMail(config)
        ? "Take MAINSTAY_MAILER_AUTOCONFIRM (or its alias) away: mails can leave."
        : "Set MAINSTAY_SMTP_HOST and MAINSTAY_SMTP_FROM, and let no policy trust an address until then.",
    ),
  ];
};

const sendsMail = ({ auth }: Config): boolean => auth.smtpHost !== null || auth.sendEmailHookEnabled;

/** A passkey belongs to its domain for ever; pages of another cannot use it. */
export const checkPasskeys: Check = ({ config }) => {
  if (config === null) return [];
  const { passkeysEnabled, mfaWebauthnEnroll, webauthnRpId: id, siteUrl } = config.auth;
  if (!passkeysEnabled && !mfaWebauthnEnroll) return [];
  const host = URL.canParse(siteUrl) && /^https?:/.test(siteUrl) ? new URL(siteUrl).hostname : null;
  if (id === null) {
    return [
      warn(
        "passkeys",
        `they will belong to ${host ?? "the host of the public URL"} for ever, because nothing else is said`,
        "Decide, and set MAINSTAY_WEBAUTHN_RP_ID.",
      ),
    ];
  }
  if (host === null || host === id || host.endsWith(`.${id}`)) return [ok("passkeys", `they belong to ${id}`)];
  return [
    warn(
      "passkeys",
      `they belong to ${id}, and pages of ${host}, the site URL, are not of that domain: browsers refuse them there`,
      "Set MAINSTAY_WEBAUTHN_RP_ID to the site's domain, or one it is below.",
    ),
  ];
};
