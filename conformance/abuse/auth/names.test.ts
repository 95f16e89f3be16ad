import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { send } from "../send.ts";
import { googleAt, type Issuer, openIssuer } from "./issuer.ts";
import { type AuthServer, newEmail, startAuth, totpCode } from "./server.ts";

/** Threat X05: what people may choose, in the mails and pages that show it. */
let dir: string;
let issuer: Issuer;
let auth: AuthServer;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mainstay-names-"));
  issuer = await openIssuer();
  // As an app might greet people: what they call themselves in text, in attributes, and in the subject.
  const file = join(dir, "greeting.html");
  await writeFile(
    file,
    `<h1 title="{{ .Data.name }}">Hello {{ .Data.name }}</h1>
     <p data-name='{{ .Data.name }}'><a href="{{ .Data.name }}">you</a> <a href="{{ .ConfirmationURL }}">go on</a></p>
     <p>{{ range $key, $value := .Data }}{{ $key }}: {{ $value }} {{ end }}</p><p>{{ .Email }}</p>`,
  );
  auth = await startAuth({
    auth: {
      ...googleAt(issuer),
      mailTemplateConfirmation: file,
      mailTemplateRecovery: file,
      mailTemplateMagicLink: file,
      mailSubjectConfirmation: "Hello {{ .Data.name }}",
      mailSubjectRecovery: "Hello {{ .Data.name }}",
    },
  });
});
afterAll(async () => {
  await Promise.all([auth.stop(), issuer.close(), rm(dir, { recursive: true, force: true })]);
});

const payloads = [
  "<script>alert(1)</script>",
  '"><img src=x onerror=alert(1)>',
  "'><svg/onload=alert(1)>",
  "' onmouseover=alert(1) x='",
  "</title></textarea></style><script>alert(1)</script>",
  "<iframe src=javascript:alert(1)>",
  "<a href='https://evil.example'>Click here</a>",
  "javascript:alert(1)",
  "JaVaScRiPt&#58;alert(1)",
  "data:text/html;base64,PHNjcmlwdD4=",
  "{{ .TokenHash }}{{ .ConfirmationURL }}",
  '{{ printf "%s" .TokenHash }}',
  "--><script>alert(1)</script><!--",
  "Eve\r\nBcc: thief@example.com\r\n\r\n<script>alert(1)</script>",
];

/** A tag as browsers read it, with its attributes (HTML Standard §13.2.5): what stands escaped, or in a quoted attribute, is none. */
const tag = /<\/?([a-z][^\s/>]*)((?:[\s/]+[^\s/>="']+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+))?)*)[\s/]*>/gi;
const attribute = /([^\s/>="']+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/g;

/** Tags and attributes that no page or mail of ours has, and links that would run something. */
function foreign(html: string): string[] {
  const found: string[] = [];
  for (const [whole, name = "", attributes = ""] of html.replace(/<style>[\s\S]*?<\/style>/g, "").matchAll(tag)) {
    if (/^(?:script|img|svg|iframe|object|embed|base|link)$/i.test(name)) found.push(whole);
    for (const [given, key = "", ...values] of attributes.matchAll(attribute)) {
      const value = values.find((each) => each !== undefined) ?? "";
      if (/^on/i.test(key)) found.push(given);
      if (/^(?:href|src|action)$/i.test(key) && /^\s*(?:javascript|data|vbscript)\s*:|^https:\/\/evil/i.test(value))
        found.push(given);
    }
  }
  return found;
}

describe("X05 what people call themselves", () => {
  test.each(payloads)("X05 %j stays a text in every mail that shows it", async (name) => {
    const email = newEmail();
    const data = { name, [name]: name };
    expect((await auth.post("/signup", { email, password: "correct horse 8", data })).status).toBe(200);
    const confirmation = await auth.received(email);
    await auth.post("/verify", { type: "signup", token_hash: confirmation.link.get("token") });
    await auth.post("/recover", { email });
    const recovery = await auth.received(email);
    await auth.post("/otp", { email });
    const magic = await auth.received(email);
    for (const { html, link, subject } of [confirmation, recovery, magic]) {
      // Tags as a browser would see them: what stands escaped is none.
      expect(foreign(html)).toEqual([]);
      expect(html.match(/<h1/g)?.length).toBe(1);
      expect(html.match(/<a /g)?.length).toBe(2);
      // A name is data and no template: the token is in the link, and there alone.
      expect(html.split(link.get("token") ?? "-").length).toBe(2);
      expect(subject).not.toMatch(/[\r\n]/);
    }
    expect([confirmation, recovery, magic].every(({ to }) => to === email)).toBe(true);
  });

  test.each(payloads)(
    "X05 %j stays a text as device, provider's word, factor's name and page's address",
    async (text) => {
      const line = text.replace(/[\r\n]+/g, " ");
      const person = await auth.newPerson();
      const password = { email: person.email, password: person.password };
      const known = { "user-agent": "Mozilla/5.0 (Linux; Android 15) Chrome/140.0" };
      await auth.ask("POST", "/token?grant_type=password", { body: password, headers: known });
      await auth.ask("POST", "/token?grant_type=password", { body: password, headers: { "user-agent": line } });
      const { body: factor } = await auth.post(
        "/factors",
        { factor_type: "totp", friendly_name: line.slice(0, 60) },
        person.token,
      );
      if (factor.id !== undefined) {
        expect(factor.totp.qr_code.match(/<script|\son\w+=|<image|href=/i)).toBeNull();
        const { body } = await auth.post(`/factors/${factor.id}/challenge`, {}, person.token);
        const code = totpCode(factor.totp.secret);
        await auth.post(`/factors/${factor.id}/verify`, { challenge_id: body.id, code }, person.token);
        expect(foreign((await auth.notice(person.email)).html)).toEqual([]);
      }
      const claims = { sub: newEmail(), email: newEmail(), email_verified: true, name: text, picture: text };
      const signed = await auth.post("/token?grant_type=id_token", {
        provider: "google",
        id_token: issuer.idToken(claims),
      });
      expect(signed.status).toBe(200);

      // The page that a link shows, and what a provider says in a refusal.
      const query = new URLSearchParams({ token: text, type: text, redirect_to: text });
      for (const target of [
        `/verify?${query}`,
        `/callback?error=${encodeURIComponent(text)}&error_description=${encodeURIComponent(text)}`,
      ]) {
        const page = await send(auth.url, { method: "GET", target: `/auth/v1${target}`, headers: {}, body: null });
        expect(foreign(page.text)).toEqual([]);
        expect(page.headers.location ?? "").not.toMatch(/[<>"\r\n]/);
        if (page.text.startsWith("<!doctype")) {
          expect(page.headers["content-security-policy"]).toMatch(/default-src 'none'/);
          expect(page.headers["content-security-policy"]).not.toMatch(/unsafe-inline|script-src/);
        }
      }
    },
  );

  test("X05 the eye that looks for markup sees it where there is some", () => {
    const bare = payloads.filter((each) => foreign(each).length > 0);
    expect(bare.length).toBeGreaterThanOrEqual(7);
    for (const each of ["<a href='javascript:x'>", "<p title='x' onclick=alert(1)>"])
      expect(foreign(each)).not.toEqual([]);
    expect(foreign('<p title="&lt;script&gt; onclick=x">a &lt;img&gt;</p>')).toEqual([]);
  });

  test("X05 the inbox of development shows a mail in a box that it cannot leave", async () => {
    const email = newEmail();
    await auth.post("/signup", { email, password: "correct horse 8", data: { name: payloads[0] } });
    const { id } = await auth.received(email);
    const { headers } = await fetch(`${auth.url}/inbox/mails/${id}`);
    expect(headers.get("content-security-policy")).toMatch(/sandbox/);
    expect(headers.get("content-security-policy")).not.toMatch(/allow-scripts|unsafe-eval/);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });
});
