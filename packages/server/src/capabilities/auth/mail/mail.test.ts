import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readSettings, SettingError } from "../../../kernel/settings.ts";
import type { Observation } from "../../../platform/observe/observation.ts";
import type { AuthSettings } from "../context.ts";
import type { AuthMail } from "../messages.ts";
import { authSettings } from "../settings.ts";
import type { User } from "../user.ts";
import { durationWords } from "./data.ts";
import { htmlToText } from "./html-to-text.ts";
import { isNotice, mailKinds } from "./kinds.ts";
import { defaultMailTemplates, openMailTemplates } from "./open-templates.ts";
import { writeMail } from "./write-mail.ts";

const settings: AuthSettings = {
  ...readSettings(authSettings, { env: {} }).values,
  publicUrl: "https://api.roam.example",
  siteUrl: "https://roam.example",
  mailFromName: "Roam",
};

// Only what mails look at.
const user = {
  id: "0b6f3f2e-0000-4000-8000-000000000001",
  email: "ada@example.com",
  phone: "491701234567",
  userMetadata: { name: "Ada" },
} as unknown as User;

const mailOf = (given: Partial<AuthMail>): AuthMail => ({
  kind: "confirmation",
  to: "ada@example.com",
  user,
  otp: "482913",
  tokenHash: "abc123",
  verifyType: "signup",
  redirectTo: "roam://login?x=1&y=2",
  newEmail: "",
  facts: {},
  ...given,
});

let dir: string;
const seen: Observation[] = [];
const open = (given: Partial<AuthSettings> = {}) =>
  openMailTemplates({
    settings: { ...settings, ...given },
    places: { projectDir: dir, templatesDir: join(dir, "supabase", "templates") },
    observe: (observation) => seen.push(observation),
  });

beforeEach(async () => {
  seen.length = 0;
  dir = await mkdtemp(join(tmpdir(), "templates-"));
  await mkdir(join(dir, "supabase", "templates"), { recursive: true });
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const project = (name: string, text: string) => writeFile(join(dir, "supabase", "templates", name), text);

describe("our own mails", () => {
  it.each(mailKinds)("%s says what it has to, in HTML and in text, and fetches nothing", (kind) => {
    const notice = isNotice(kind);
    const hasLink = !notice && kind !== "reauthentication";
    const mail = mailOf({
      kind,
      otp: notice ? "" : "482913",
      tokenHash: hasLink ? "abc123" : "",
      newEmail: "b@c.example",
    });
    const { subject, html, text } = writeMail(mail, defaultMailTemplates(), settings);
    expect(subject).toContain("Roam");
    for (const words of [subject, html, text]) expect(words).not.toMatch(/\{\{|ZgotmplZ|undefined|<no value>/);
    const link =
      "https://api.roam.example/auth/v1/verify?token=abc123&type=signup&redirect_to=roam%3A%2F%2Flogin%3Fx%3D1%26y%3D2";
    expect(text.includes(link)).toBe(hasLink);
    expect(html.includes(`href="${link.replaceAll("&", "&amp;")}"`)).toBe(hasLink);
    for (const words of [html, text]) expect(words.includes("482913")).toBe(!notice);
    expect(html).not.toMatch(/<img|url\(|@import|<link|<script/);
    expect(html).toContain('<html lang="en"');
  });

  it("X05: shows what people call themselves, and lets it be nothing else", () => {
    const evil = `"><script>alert(1)</script>'<a href="https://evil.example">x</a>`;
    const facts = { device: evil, provider: evil, factor_type: evil, old_email: evil, old_phone: evil, address: evil };
    const named = { ...user, email: evil, phone: evil, userMetadata: { name: evil } };
    for (const kind of mailKinds) {
      const mail = mailOf({
        kind,
        to: evil,
        user: named,
        newEmail: evil,
        otp: evil,
        redirectTo: `javascript:${evil}`,
        facts,
      });
      const { subject, html } = writeMail(mail, defaultMailTemplates(), {
        ...settings,
        mailFromName: `${evil}\r\nBcc: x`,
      });
      expect(html).not.toMatch(/<script|<a href="https:\/\/evil|href="javascript/i);
      expect(subject).not.toMatch(/[\r\n]/);
    }
  });

  it("lists what is known of a new device, and leaves out what is not", () => {
    const write = (facts: Record<string, string>) =>
      writeMail(mailOf({ kind: "new_device", otp: "", tokenHash: "", facts }), defaultMailTemplates(), settings);
    const known = write({ device: "Chrome on Android", address: "203.0.113.7", time: "" });
    expect(known.text).toContain("Device: Chrome on Android\nNetwork: 203.0.113.7\n");
    expect(known.html).toMatch(/>Network<\/td><td[^>]*>203\.0\.113\.7<\/td>/);
    for (const words of [known.html, known.text, write({}).text]) expect(words).not.toContain("Time");
  });

  it("calls a second factor what people call it", () => {
    const write = (factor_type: string) =>
      writeMail(mailOf({ kind: "mfa_factor_enrolled", facts: { factor_type } }), defaultMailTemplates(), settings).text;
    expect(write("totp")).toContain("now has a second factor: an authenticator app.");
    expect(write("another")).toContain("now has a second factor.");
  });

  it("calls a provider what people call it, and leaves a project's templates its own word", async () => {
    await project("identity_unlinked.html", "{{ .Provider }} is {{ .ProviderName }}");
    const templates = await open();
    const write = (kind: "identity_linked" | "identity_unlinked", provider: string) =>
      writeMail(mailOf({ kind, facts: { Provider: provider } }), templates, settings).text;
    expect(write("identity_linked", "linkedin_oidc")).toContain("signed in to with LinkedIn.");
    expect(write("identity_linked", "custom:acme")).toContain("signed in to with Acme.");
    expect(write("identity_linked", "")).toContain("signed in to with another provider.");
    expect(write("identity_unlinked", "github").trim()).toBe("github is GitHub");
  });

  it("says how long a code holds", () => {
    expect([60, 90, 3_600, 86_400, 7_200, 5_400].map(durationWords)).toEqual([
      "1 minute",
      "90 seconds",
      "1 hour",
      "1 day",
      "2 hours",
      "90 minutes",
    ]);
  });
});

describe("a project's mails", () => {
  it("take Supabase's templates as they are", async () => {
    await project(
      "confirmation.html",
      `<h2>Confirm your signup</h2>
{{ if eq .Data.plan "pro" }}<p>Pro</p>{{ else }}<p>Hi {{ .Data.name }}</p>{{ end }}
<p><a href="{{ .ConfirmationURL }}">Confirm your mail</a> or enter {{ .Token }}</p>
<p><a href="{{ .SiteURL }}/auth/confirm?token_hash={{ .TokenHash }}&type=email&next={{ .RedirectTo }}">here</a>
<a href="{{ .RedirectTo }}&token_hash={{ .TokenHash }}">in the app</a> {{ .Email }}{{ .NewEmail }}</p>`,
    );
    const templates = await open({ mailSubjectConfirmation: "{{ .Token }} is your code & key" });
    const { subject, html, text } = writeMail(mailOf({}), templates, settings);
    expect(subject).toBe("482913 is your code & key");
    expect(html).toContain("<p>Hi Ada</p>");
    expect(html).toContain(
      'href="https://roam.example/auth/confirm?token_hash=abc123&type=email&next=roam%3A%2F%2Flogin%3Fx%3D1%26y%3D2"',
    );
    expect(html).toContain('href="roam://login?x=1&amp;y=2&token_hash=abc123"');
    expect(text).toContain("Confirm your mail: https://api.roam.example/auth/v1/verify?token=abc123&type=signup");
    expect(text).toMatch(/^Confirm your signup\n\nHi Ada\n/);
  });

  it("are found by the names Supabase gives its notices, and have a text of their own where one is written", async () => {
    await project("password_changed_notification.html", "<p>{{ .Email }} changed</p>");
    await project("recovery.html", "<p>{{ .Token }}</p>");
    await project("recovery.txt", "Text <{{ .Token }}>");
    const templates = await open();
    expect(writeMail(mailOf({ kind: "password_changed" }), templates, settings).html).toBe(
      "<p>ada@example.com changed</p>",
    );
    expect(writeMail(mailOf({ kind: "recovery" }), templates, settings).text).toBe("Text <482913>");
  });

  it("are found from the project's folder and from supabase/ in it, as that CLI does", async () => {
    await project("a.html", "a {{ .Token }}");
    const templates = await open({
      mailTemplateInvite: "./supabase/templates/a.html",
      mailTemplateEmailChanged: "./templates/a.html",
    });
    expect(writeMail(mailOf({ kind: "invite" }), templates, settings).html).toBe("a 482913");
    expect(writeMail(mailOf({ kind: "email_changed" }), templates, settings).html).toBe("a 482913");
    await expect(open({ mailTemplateInvite: "gone.html" })).rejects.toThrow(SettingError);
  });

  it("that cannot be read keep the server from starting, with file, line and column", async () => {
    await project("invite.html", "<p>\n  {{ .Token }</p>");
    await expect(open()).rejects.toThrow(/invite\.html:2:\d+: /);
    await rm(join(dir, "supabase", "templates", "invite.html"));
    await expect(open({ mailSubjectInvite: "{{ nope }}" })).rejects.toThrow(
      /subject of invite:1:4: there is no function/,
    );
  });

  it("are fetched where a URL is given; one that does not answer is told, and ours is used", async () => {
    const server = createServer((request, response) => {
      if (request.url === "/moved") response.writeHead(302, { location: "/ok" }).end();
      else response.writeHead(request.url === "/ok" ? 200 : 500).end("fetched {{ .Token }}");
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const templates = await open({
        mailTemplateInvite: `${base}/ok`,
        mailTemplateRecovery: `${base}/broken`,
        mailTemplateMagicLink: `${base}/moved`,
      });
      expect(writeMail(mailOf({ kind: "invite" }), templates, settings).html).toBe("fetched 482913");
      expect(writeMail(mailOf({ kind: "recovery" }), templates, settings).html).toContain("Set a new password");
      expect(seen.map(({ kind }) => kind)).toEqual(["warning", "warning"]);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});

describe("text of HTML", () => {
  it.each([
    ["<p>One</p><p>Two<br>Three</p>", "One\n\nTwo\nThree"],
    ["<style>p{}</style><title>x</title>a &amp; b &#8364; &lt;c&gt;", "a & b € <c>"],
    ['<a href="https://a.b?x=1&amp;y=2">Open</a>', "Open: https://a.b?x=1&y=2"],
    ['<a href="https://a.b">https://a.b</a>', "https://a.b"],
    ["<ul><li>a</li><li>b</li></ul>", "- a\n\n- b"],
    ["a<!-- hidden -->b", "ab"],
    ["  a \n\t b  ", "a b"],
  ])("%s", (html, expected) => {
    expect(htmlToText(html)).toBe(expected);
  });

  it("fails at nothing, and makes nothing up", () => {
    const piece = fc.constantFrom(
      "<",
      ">",
      "<p",
      "</",
      '"',
      "'",
      "<!--",
      "-->",
      "&#",
      "&#99999999;",
      "&#0;",
      "<a href=",
      "x",
      " ",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const html = pieces.join("");
        // A link's address comes behind its words with a colon and a space; line breaks stand for tags.
        expect(htmlToText(html).length).toBeLessThanOrEqual(html.length + 2 * pieces.length);
      }),
    );
  });

  it("takes a large document without a closing bracket in a moment", () => {
    expect(htmlToText("<a ".repeat(300_000)).length).toBeGreaterThan(0);
    expect(htmlToText(`<a "`.repeat(200_000)).length).toBeGreaterThanOrEqual(0);
  });
});
