import { randomUUID } from "node:crypto";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type AppWithMail, bootWithMail } from "./app.ts";
import { describeInBrowser } from "./harness.ts";

const password = "correct horse battery staple";
const newAddress = () => `${randomUUID()}@browser.example`;

/** Fills a form of the app's page in, and sends it. */
async function send(page: Page, form: string, fields: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, value] of Object.entries(fields)) await page.fill(`#${form} [name=${name}]`, value);
  await page.click(`#${form} button`);
}

/** What a page says in one of its lines, once it is `expected`. */
const says = (page: Page, line: string, expected: string | RegExp) =>
  expect.poll(() => page.textContent(`#${line}`), { interval: 20, timeout: 5_000 }).toMatch(expected);

/** The address of the page without what a redirect had put there: no token stays behind in it. */
const isClean = (page: Page) => expect.poll(() => page.url(), { interval: 20 }).not.toMatch(/access_token|refresh_token|code=/);

const press = (page: Page) => page.getByRole("button", { name: "Continue" }).click();

describeInBrowser("links in mails, in Chromium", (browser) => {
  let app: AppWithMail;
  beforeAll(async () => {
    app = await bootWithMail();
  });
  afterAll(() => app?.stop());

  const open = (page: Page, flow: string, name: string) => page.goto(`${app.site.origin}/${flow}/${name}.html`);

  for (const flow of ["implicit", "pkce"]) {
    it(`${flow}: a new address is confirmed, and only then is there a way in`, async (test) => {
      const [page, email] = [await browser.page(test), newAddress()];
      await open(page, flow, "sign-up");
      await send(page, "sign-up", { email, password });
      await says(page, "said", "Look into your mail.");
      await says(page, "who", "nobody");
      const stranger = await browser.page(test);
      await open(stranger, flow, "sign-in");
      await send(stranger, "sign-in", { email, password });
      await says(stranger, "said", "email_not_confirmed: Email not confirmed");

      const link = await app.linkTo(email, "confirmation");
      await page.goto(link);
      expect(await page.textContent("h1")).toBe("Confirm your email address");
      await press(page);
      await says(page, "who", `${email} by email`);
      await says(page, "events", /\bSIGNED_IN\b/);
      expect(page.url()).toMatch(`${app.site.origin}/${flow}/account.html`);
      await isClean(page);

      // The link has done what it was for.
      const another = await browser.page(test);
      await another.goto(link);
      await press(another).catch(() => {});
      await says(another, "problem", /^otp_expired: Email link is invalid or has expired/);
      await says(another, "who", "nobody");
      await send(stranger, "sign-in", { email, password });
      await says(stranger, "said", "Welcome back.");
    });
  }
});
