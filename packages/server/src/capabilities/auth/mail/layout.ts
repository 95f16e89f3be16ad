import type { DefaultMail, Detail } from "./default-mails.ts";

/** What one mail puts into the page: templates, in the language projects write theirs in. */
interface Page {
  readonly title: string;
  /** What mailboxes show beside the subject. */
  readonly preview: string;
  readonly body: string;
}

/**
 * The HTML that our mails stand in. One column of tables with its styles
 * in place, since that is what mail programs agree on; the style sheet adds dark colours and small screens where it is read.
 * No picture, no font, nothing that is fetched: opening it tells nobody.
 */
const htmlPage = ({ title, preview, body }: Page): string => `<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no, date=no, address=no, email=no">
<title>${title}</title>
<style>
:root { color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  .page { background: #0f1113 !important; }
  .card { background: #191c20 !important; border-color: #2b3036 !important; }
  .ink { color: #eceef0 !important; }
  .soft { color: #a3abb5 !important; }
  .code { background: #24292f !important; border-color: #3b434c !important; color: #ffffff !important; }
  .button { background: #eceef0 !important; color: #14171a !important; }
  .link { color: #8fbcff !important; }
  .rule { border-color: #2b3036 !important; }
}
@media (max-width: 520px) {
  .card { padding: 28px 22px !important; }
  .code { font-size: 30px !important; letter-spacing: 6px !important; }
  .wide { width: 100% !important; }
  .button { display: block !important; text-align: center !important; }
}
</style>
</head>
<body class="page" style="margin: 0; padding: 0; background: #f2f4f6; -webkit-text-size-adjust: 100%;">
<div style="display: none; max-height: 0; overflow: hidden; opacity: 0;">${preview}${"&#8199;&#847; ".repeat(40)}</div>
<table class="page" role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="background: #f2f4f6;">
<tr><td align="center" style="padding: 32px 12px;">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width: 480px;">
<tr><td class="ink" style="padding: 0 4px 16px; ${font} font-size: 15px; line-height: 22px; font-weight: 600; color: #14171a;">{{ .AppName }}</td></tr>
<tr><td class="card" style="padding: 36px; background: #ffffff; border: 1px solid #e2e6ea; border-radius: 14px;">
${htmlTitle(title)}
${body}
</td></tr>
<tr><td class="soft" style="padding: 18px 4px 0; ${font} font-size: 12px; line-height: 18px; color: #5b6570;">Sent to {{ .SendingTo }} by <a class="soft" href="{{ .SiteURL }}" style="color: #5b6570;">{{ .AppName }}</a>.</td></tr>
</table>
</td></tr>
</table>
</body>
</html>
`;

const font = "font-family: -apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif;";

const htmlTitle = (title: string): string =>
  `<h1 class="ink" style="margin: 0 0 12px; ${font} font-size: 23px; line-height: 30px; font-weight: 650; letter-spacing: -0.2px; color: #14171a;">${title}</h1>`;

/** The HTML of one of our mails. */
export const htmlLayout = (mail: DefaultMail): string =>
  htmlPage({
    title: mail.title,
    preview: mail.preview,
    body: `${mail.paragraphs.map(htmlParagraph).join("\n")}
${mail.details === undefined ? "" : htmlDetails(mail.details)}
${mail.hasCode ? htmlCode : ""}
${mail.button === undefined ? "" : htmlButton(mail.button)}
<p class="soft rule" style="margin: 28px 0 0; padding: 20px 0 0; border-top: 1px solid #e2e6ea; ${font} font-size: 13px; line-height: 20px; color: #5b6570;">${mail.otherwise}</p>`,
  });

/** The HTML of a mail that has a `Subject` and `Paragraphs`, and nothing else: what an app says in plain words looks as ours do. */
export const plainLayout = (): string =>
  htmlPage({
    title: "{{ .Subject }}",
    preview: "{{ index .Paragraphs 0 }}",
    body: `{{ range .Paragraphs }}${htmlParagraph("{{ . }}").replace('style="', 'style="white-space: pre-line; ')}{{ end }}`,
  });

const htmlParagraph = (text: string): string =>
  `<p class="ink" style="margin: 0 0 14px; ${font} font-size: 16px; line-height: 25px; color: #2a3036;">${text}</p>`;

const htmlDetails = (details: readonly Detail[]): string =>
  `<table role="presentation" cellpadding="0" cellspacing="0" border="0" style="margin: 0 0 14px;">
${details.map(htmlDetail).join("\n")}
</table>`;

const htmlDetail = ({ label, variable }: Detail): string =>
  `{{ with .${variable} }}<tr><td class="soft" valign="top" style="padding: 2px 16px 2px 0; ${font} font-size: 14px; line-height: 22px; color: #5b6570; white-space: nowrap;">${label}</td><td class="ink" valign="top" style="padding: 2px 0; ${font} font-size: 14px; line-height: 22px; color: #2a3036; overflow-wrap: anywhere;">{{ . }}</td></tr>{{ end }}`;

/** Selected whole by one touch; `code` near the digits is what keyboards that fill in codes look for. */
const htmlCode = `{{ if .Token }}<p class="soft" style="margin: 22px 0 8px; ${font} font-size: 13px; line-height: 18px; color: #5b6570;">Your code, valid for {{ .ValidFor }}</p>
<p class="code" style="margin: 0 0 24px; padding: 16px 8px 16px 16px; background: #f2f4f6; border: 1px solid #e2e6ea; border-radius: 10px; font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 34px; line-height: 42px; font-weight: 600; letter-spacing: 8px; text-align: center; color: #14171a; -webkit-user-select: all; user-select: all;">{{ .Token }}</p>{{ end }}`;

/** As a button and as text: some programs show neither tables nor buttons, and some people look where a link leads. */
const htmlButton = (
  words: string,
): string => `{{ if .ConfirmationURL }}<table class="wide" role="presentation" cellpadding="0" cellspacing="0" border="0" style="margin: 22px 0 18px;">
<tr><td><a class="button" href="{{ .ConfirmationURL }}" style="display: inline-block; padding: 13px 24px; background: #14171a; border-radius: 9px; ${font} font-size: 16px; line-height: 22px; font-weight: 600; color: #ffffff; text-decoration: none;">${words}</a></td></tr>
</table>
<p class="soft" style="margin: 0; ${font} font-size: 12px; line-height: 18px; color: #5b6570;">If the button does not work, open this address:<br><a class="link" href="{{ .ConfirmationURL }}" style="color: #0b5cd5; text-decoration: none; word-break: break-all; overflow-wrap: anywhere;">{{ .ConfirmationURL }}</a></p>{{ end }}`;

const textDetail = ({ label, variable }: Detail): string => `{{ with .${variable} }}${label}: {{ . }}\n{{ end }}`;

/** The same mail without any markup. */
export const textLayout = (mail: DefaultMail): string =>
  [
    mail.title,
    ...mail.paragraphs,
    ...(mail.details === undefined ? [] : [mail.details.map(textDetail).join("")]),
    ...(mail.hasCode ? ["{{ if .Token }}Your code, valid for {{ .ValidFor }}: {{ .Token }}{{ end }}"] : []),
    ...(mail.button === undefined ? [] : [`{{ if .ConfirmationURL }}${mail.button}:\n{{ .ConfirmationURL }}{{ end }}`]),
    mail.otherwise,
    "-- \n{{ .AppName }}\n{{ .SiteURL }}\n",
  ].join("\n\n");
