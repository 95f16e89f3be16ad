import { createHash } from "node:crypto";
import type { Reply } from "../../../kernel/route.ts";
import { isPrivate } from "../reply.ts";

const style = `
:root { color-scheme: light dark; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: Canvas; color: CanvasText;
  font: 1.0625rem/1.5 system-ui, sans-serif; }
main { box-sizing: border-box; width: 100%; max-width: 26rem; padding: 2rem 1.5rem; text-align: center; }
h1 { font-size: 1.375rem; line-height: 1.25; margin: 0 0 0.75rem; text-wrap: balance; }
p { margin: 0 0 1.5rem; overflow-wrap: anywhere; }
button { font: inherit; font-weight: 600; width: 100%; padding: 0.75rem 1.25rem; border: 0; border-radius: 0.625rem;
  background: light-dark(#1f5fd1, #8ab4ff); color: light-dark(#fff, #0b1a33); cursor: pointer; }
button:focus-visible { outline: 3px solid CanvasText; outline-offset: 3px; }
small { display: block; margin-top: 1.25rem; color: light-dark(#55595f, #b3b8c0); }
`;
const styleHash = createHash("sha256").update(style).digest("base64");

const titles: Readonly<Record<string, string>> = {
  signup: "Confirm your email address",
  email: "Continue to sign in",
  magiclink: "Continue to sign in",
  invite: "Accept your invitation",
  recovery: "Continue to reset your password",
  email_change: "Confirm the change of your email address",
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
}): Reply {
  const title = titles[link.type] ?? "Continue";
  const field = (name: string, value: string) => `<input type="hidden" name="${name}" value="${escaped(value)}">`;
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
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
