import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type AppWithMail, bootWithMail } from "./app.ts";
import { pressContinue, says, send } from "./app-page.ts";
import { describeInBrowser } from "./harness.ts";

/** Whatever of this is taken for markup, script or an address opens a dialog. */
const payloads = [
  `<script>alert(1)</script>`,
  `"><img src=x onerror=alert(2)>`,
  `'-alert(3)-'`,
  `javascript:alert(4)`,
  `</title></style></script><svg onload=alert(5)>`,
  `\` onmouseover=alert(6) \${alert(7)}`,
  `]]><iframe srcdoc="<script>alert(8)</script>">`,
];

/** A project's own template that puts somebody's name wherever it can, and comes with script of its own. */
const invitation = `<!doctype html><html><head><title>{{ .Data.name }}</title>
<style>p { font-family: "{{ .Data.name }}"; color: {{ .Data.name }} }</style></head>
<body onload="alert('of the template')">
<p title="{{ .Data.name }}" class={{ .Data.name }}>Hello {{ .Data.name }}</p>
<a id="name" href="{{ .Data.name }}">name</a> <a href="https://example.com/?q={{ .Data.name }}">search</a>
<a id="accept" href="{{ .ConfirmationURL }}">Accept</a>
<button onclick="alert('of the template')">Press</button>
<textarea>{{ .Data.name }}</textarea> <!-- {{ .Data.name }} -->
<script>alert("of the template");</script>
<form action="/inbox/api/messages" method="post"><input name="x" autofocus onfocus="alert('of the template')"></form>
<meta http-equiv="refresh" content="0;url=javascript:alert('of the template')">
</body></html>`;

/** Everything that has been run which should not. */
function watch(page: Page): string[] {
  const seen: string[] = [];
  const context = page.context();
  for (const one of context.pages()) listen(one);
  context.on("page", listen);
  return seen;

  function listen(one: Page): void {
    one.on("dialog", (dialog) => {
      seen.push(dialog.message());
      return dialog.dismiss();
    });
    one.on("pageerror", (error) => seen.push(error.message));
  }
}

describeInBrowser("the inbox of development, in Chromium", (browser) => {
  let app: AppWithMail;
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "inbox-templates-"));
    await writeFile(join(dir, "invite.html"), invitation);
    app = await bootWithMail({
      settings: {
        auth: {
          phoneEnabled: true,
          mailTemplateInvite: join(dir, "invite.html"),
          mailSubjectInvite: "For {{ .Data.name }}",
        },
      },
    });
  });
  afterAll(async () => {
    await app?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const post = async (path: string, key: string, body: unknown) => {
    const reply = await fetch(`${app.url}/auth/v1${path}`, {
      method: "POST",
      headers: { apikey: key, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    expect(reply.status).toBe(200);
  };

  it("shows a mail as it comes in; its link opens in a tab of its own and does what it says", async (test) => {
    const [page, email] = [await browser.page(test), `${randomUUID()}@browser.example`];
    const ran = watch(page);
    const inbox = await page.context().newPage();
    await inbox.goto(`${app.url}/inbox`);
    await inbox.getByText("Choose a message.").or(inbox.getByText("Nothing here yet")).first().waitFor();
    await page.goto(`${app.site.origin}/implicit/magic-link.html`);
    await send(page, "magic-link", { email });
    await says(page, "said", "Look into your mail.");

    await inbox.bringToFront();
    const item = inbox.getByRole("link", { name: email });
    await item.click();
    await inbox.getByRole("heading", { name: "Confirm your e-mail address for Roam" }).waitFor();
    expect(await item.getAttribute("aria-current")).toBe("true");
    const button = inbox.frameLocator("iframe").getByRole("link", { name: "Confirm address" });
    const [tab] = await Promise.all([inbox.waitForEvent("popup"), button.click()]);
    await pressContinue(tab);
    await says(tab, "who", `${email} by email`);
    expect(await tab.evaluate("opener")).toBeNull();
    expect(ran).toEqual([]);
  });

  it("shows a text message as the phone does, and copies its code", async (test) => {
    const page = await browser.page(test, { permissions: ["clipboard-read", "clipboard-write"] });
    await post("/otp", app.publishableKey, { phone: "+4915112345678" });
    await page.goto(`${app.url}/inbox`);
    await page.getByRole("link", { name: "+4915112345678" }).click();
    const code = /^Your code is (\d{6})$/.exec((await page.textContent(".bubble")) ?? "")?.[1];
    expect(code).toBeDefined();
    await page.getByRole("button", { name: `Copy code ${code}` }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(code);
  });

  it("is gone through by keyboard", async (test) => {
    for (const name of ["first", "second"]) {
      await post("/recover", app.publishableKey, { email: `${name}-nobody@browser.example` });
      await post("/otp", app.publishableKey, { email: `${name}@keyboard.example` });
      await app.mailTo(`${name}@keyboard.example`, "confirmation");
    }
    const page = await browser.page(test);
    await page.goto(`${app.url}/inbox`);
    await page.getByRole("link", { name: "second@keyboard.example" }).waitFor();
    const shown = () => page.locator(".facts dd").allTextContents();
    await page.keyboard.press("j");
    await expect.poll(shown).toContain("second@keyboard.example");
    await page.keyboard.press("ArrowDown");
    await expect.poll(shown).toContain("first@keyboard.example");
    await page.getByRole("tab", { name: "Mail" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.locator("pre").getByText("Your code").first().waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("second@keyboard");
    await expect.poll(() => page.locator(".item").count()).toBe(1);
    // Those who have no account get no mail.
    expect(await page.getByText("nobody@browser.example").count()).toBe(0);
  });

  it("has room on a phone for the list or for one message", async (test) => {
    const email = `${randomUUID()}@phone.example`;
    await post("/otp", app.publishableKey, { email });
    await app.mailTo(email, "confirmation");
    const page = await browser.page(test, { viewport: { width: 390, height: 760 }, hasTouch: true });
    await page.goto(`${app.url}/inbox`);
    await page.getByRole("link", { name: email }).tap();
    await page.getByRole("heading", { level: 2 }).waitFor();
    expect(await page.getByRole("navigation").isVisible()).toBe(false);
    // Nothing stands out of the screen, neither here nor in the mail.
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
    const mail = page.frameLocator("iframe").locator("table").first();
    await mail.waitFor();
    expect((await mail.boundingBox())?.width).toBeLessThanOrEqual(390);
    await page.getByRole("link", { name: "All messages" }).tap();
    await page.getByRole("link", { name: email }).waitFor();
    expect(await page.locator("#message").isVisible()).toBe(false);
  });

  it("X05 S04: runs nothing of a mail, neither what somebody is called nor what the template brings along", async (test) => {
    const [page, email] = [await browser.page(test), `${randomUUID()}@browser.example`];
    const name = payloads.join(" ");
    await post("/invite", app.secretKey, { email, data: { name } });
    await app.mailTo(email, "invite");
    const ran = watch(page);
    await page.goto(`${app.url}/inbox`);
    await page.getByRole("link", { name: email }).click();
    // The subject is cut to the length of a header line; what is there of it is there as text.
    expect(await page.getByRole("heading", { level: 2 }).textContent()).toContain(`For ${payloads[0]}`);
    const mail = page.frameLocator("iframe");
    await mail.getByText(`Hello ${payloads[0]}`).waitFor();
    await mail.getByRole("button", { name: "Press" }).click();
    await mail.locator("#name").click();
    for (const view of ["Text", "Source"]) await page.getByRole("tab", { name: view }).click();
    expect(await page.textContent("pre")).toContain("alert");
    expect(page.frames().every((frame) => frame.url().startsWith(app.url))).toBe(true);
    expect(ran).toEqual([]);
  });

  it("X05: outside of the inbox a mail runs what its template brings along, and nothing of what somebody is called", async (test) => {
    const page = await browser.page(test);
    const ran = watch(page);
    for (const name of payloads) {
      const email = `${randomUUID()}@browser.example`;
      await post("/invite", app.secretKey, { email, data: { name } });
      const { html } = await app.mailTo(email, "invite");
      await page.goto(app.site.origin);
      await page.setContent(html.replace(/<meta[^>]*>/, ""));
      expect(await page.inputValue("textarea")).toBe(name);
      expect(await page.evaluate("document.querySelector('#name').protocol")).toBe("http:");
      expect(new Set(ran.splice(0))).toEqual(new Set(["of the template"]));
    }
  });
});
