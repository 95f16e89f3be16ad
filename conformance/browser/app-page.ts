import type { Page } from "playwright-core";
import { expect } from "vitest";

/** Often enough for pages that answer at once, seldom enough not to be what they wait for. In ms. */
const soon = { interval: 50, timeout: 30_000 };

/** Fills a form of the app's page in, and sends it. */
export async function send(page: Page, form: string, fields: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, value] of Object.entries(fields)) await page.fill(`#${form} [name=${name}]`, value);
  await page.click(`#${form} button`);
}

/** Waits until one of the page's lines says this. They are `who`, `events`, `problem`, `message` and `said` (`pages/app.js`). */
export const says = (page: Page, line: string, expected: string | RegExp): Promise<void> =>
  expect
    .poll(() => page.textContent(`#${line}`).catch(() => null), { ...soon, message: `the page's line ${line}` })
    .toMatch(typeof expected === "string" ? new RegExp(`^${RegExp.escape(expected)}$`) : expected);

/** Waits until nothing of a redirect is left in the page's address: no token, no code stays in the history. */
export const isClean = (page: Page): Promise<void> =>
  expect.poll(() => page.url(), soon).not.toMatch(/access_token|refresh_token|[?&]code=/);

/** Presses the one button of the page that a mail's link opens. */
export const pressContinue = (page: Page): Promise<void> => page.getByRole("button", { name: "Continue" }).click();
