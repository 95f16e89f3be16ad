import { createHash } from "node:crypto";
import type { Reply } from "../../../kernel/route.ts";
import { isPrivate } from "../reply.ts";

/** Looks like the mail it is opened from (`mail/layout.ts`): whoever comes from there sees that it belongs together. */
const style = `
:root { color-scheme: light dark; --page: #f2f4f6; --card: #ffffff; --line: #e2e6ea; --ink: #14171a; --soft: #5b6570;
  --button: #14171a; --words: #ffffff; --focus: #0b5cd5; }
@media (prefers-color-scheme: dark) {
  :root { --page: #0f1113; --card: #191c20; --line: #2b3036; --ink: #eceef0; --soft: #a3abb5;
    --button: #eceef0; --words: #14171a; --focus: #8fbcff; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; min-height: 100svh; padding: 2rem 0.75rem; display: grid; place-content: center;
  grid-template-columns: minmax(0, 27rem); background: var(--page); color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 1rem/1.5 -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header { padding: 0 0.25rem 1rem; font-size: 0.9375rem; font-weight: 600; overflow-wrap: anywhere; }
main { padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.875rem; }
h1 { margin: 0 0 0.625rem; font-size: 1.4375rem; line-height: 1.3; font-weight: 650; letter-spacing: -0.01em; text-wrap: balance; }
p { margin: 0 0 1.5rem; overflow-wrap: anywhere; }
button { width: 100%; min-height: 3rem; padding: 0.75rem 1.5rem; border: 0; border-radius: 0.5625rem; font: inherit;
  font-weight: 600; background: var(--button); color: var(--words); cursor: pointer; }
button:hover { opacity: 0.9; }
button:focus-visible { outline: 3px solid var(--focus); outline-offset: 3px; }
small { display: block; margin-top: 1.5rem; padding-top: 1.25rem; border-top: 1px solid var(--line); font-size: 0.8125rem;
  line-height: 1.55; color: var(--soft); }
@media (max-width: 26rem) { main { padding: 1.75rem 1.375rem; } }
@media (forced-colors: active) { button { border: 1px solid; } }
`;
const styleHash = createHash("sha256").update(style).digest("base64");

const titles: Readonly<Record<string, string>> = {
  signup: "Confirm your e-mail address",
  email: "Continue to sign in",
  magiclink: "Continue to sign in",
  invite: "Accept your invitation",
  recovery: "Continue to reset your password",
  email_change: "Confirm the change of your e-mail address",
};

/**
 * What a link in a mail shows: a form with one button. Scanners and previews open links, and people press buttons, so only
 * the press does something (threat A21). No script, nothing from elsewhere, and no address of it is passed on.
 * @param redirectTo Allowed already
 */
export function confirmationPage(link: {
  readonly token: string;
  readonly type: string;
  readonly redirectTo: string;
  /** As mails call it. */
  readonly appName: string;
}): Reply {
  const title = titles[link.type] ?? "Continue";
  const field = (name: string, value: string) => `<input type="hidden" name="${name}" value="${escaped(value)}">`;
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>${title} · ${escaped(link.appName)}</title>
<style>${style}</style>
</head>
<body>
<header>${escaped(link.appName)}</header>
<main>
<h1>${title}</h1>
<p>You will go on to <strong>${escaped(destinationOf(link.redirectTo))}</strong>.</p>
<form method="post" action="verify">
${field("token", link.token)}
${field("type", link.type)}
${field("redirect_to", link.redirectTo)}
<button type="submit">Continue</button>
</form>
<small>If you did not ask for this, close this page. Nothing has happened yet.</small>
</main>
</body>
</html>
`;
  return { status: 200, headers: headersFor(link.redirectTo), body: Buffer.from(html) };
}

function headersFor(redirectTo: string): readonly string[] {
  // Browsers hold the redirect that answers a form against `form-action` too, so where it leads is named: by scheme, because
  // what is there may redirect once more.
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${styleHash}'`,
    `form-action 'self' https: ${new URL(redirectTo).protocol}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ];
  return [
    ...["Content-Type", "text/html; charset=utf-8", "Content-Security-Policy", policy.join("; ")],
    ...[...isPrivate, "Referrer-Policy", "no-referrer", "X-Content-Type-Options", "nosniff", "X-Frame-Options", "DENY"],
    ...["X-Robots-Tag", "noindex"],
  ];
}

/** The host of a site, the scheme of an app. */
function destinationOf(redirectTo: string): string {
  const { protocol, host } = new URL(redirectTo);
  return protocol === "http:" || protocol === "https:" ? host : protocol.slice(0, -1);
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!);
