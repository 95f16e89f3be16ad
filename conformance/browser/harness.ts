import { accessSync, constants } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, type TestContext } from "vitest";

/** Where pictures of pages go whose tests have failed. */
const screenshotsDir = join(tmpdir(), "mainstay-browser");
/** What a page is given to do as it is told: less than a test has, so that a failure says what it waited for. In ms. */
const pageTimeoutMs = 30_000;

/** The environment's choice, or the first of the names Chromium goes by that is on the path; `null` when there is none. */
export function findChromium(env: Readonly<Record<string, string | undefined>> = process.env): string | null {
  const isExecutable = (path: string): boolean => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  };
  if (env.CHROMIUM_PATH) return isExecutable(env.CHROMIUM_PATH) ? env.CHROMIUM_PATH : null;
  const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
  const folders = (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable) ?? null;
}

/** A real Chromium, one for each test file. */
export interface BrowserHarness {
  /**
   * A page with a profile of its own: cookies, storage and authenticators are nobody else's. It is closed when the test ends;
   * when the test has failed, its picture and what it wrote to its console are kept and named.
   */
  page(test: TestContext, options?: BrowserContextOptions): Promise<Page>;
}

/** `describe` for tests in a browser: where there is none, it says so in its name and skips them. */
export function describeInBrowser(name: string, define: (browser: BrowserHarness) => void): void {
  const executablePath = findChromium();
  if (executablePath === null) {
    const reason = "no Chromium: install it, or say where it is with CHROMIUM_PATH";
    console.warn(`skipped: ${name} (${reason})`);
    describe.skip(`${name} (skipped: ${reason})`, () => define({ page: () => Promise.reject(new Error(reason)) }));
    return;
  }
  describe(name, () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launch(executablePath);
    });
    afterAll(() => browser?.close());
    define({ page: (test, options) => openPage(browser, test, options) });
  });
}

function launch(executablePath: string): Promise<Browser> {
  // Chromium's sandbox wants another user than root, and containers seldom have the shared memory it asks for.
  const args = process.getuid?.() === 0 ? ["--no-sandbox", "--disable-dev-shm-usage"] : ["--disable-dev-shm-usage"];
  return chromium.launch({ executablePath, args });
}

async function openPage(browser: Browser, test: TestContext, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(pageTimeoutMs);
  const page = await context.newPage();
  const said: string[] = [];
  page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => said.push(`error: ${error.message}`));
  // Asked for while the page is still there: hooks for failed tests alone run after this one.
  test.onTestFinished(async () => {
    if (test.task.result?.state === "fail") {
      await mkdir(screenshotsDir, { recursive: true });
      const path = join(screenshotsDir, `${test.task.name.replace(/[^\w-]+/g, "-").slice(0, 80)}.png`);
      await page.screenshot({ path, timeout: 5_000 }).catch(() => {});
      console.error([`picture of the page at ${page.url()}: ${path}`, ...said].join("\n"));
    }
    await context.close();
  });
  return page;
}
