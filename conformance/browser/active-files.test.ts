import { type BootedApp, boot } from "@mainstay/testing";
import type { Page, Request } from "playwright-core";
import { afterAll, beforeAll, expect, it, type TestContext } from "vitest";
import { activeFiles, beacon, page as pageOf } from "./active-files.ts";
import { describeInBrowser } from "./harness.ts";
import { entrancesOf } from "./storage-entrances.ts";

/** Opens every file as it came by every entrance, instead of each by one: some minutes. */
const opensAll = process.env.MAINSTAY_ACTIVE_FILES === "all";
/** Of a page's own, what is used here. */
interface Document {
  readonly body: { append(...children: readonly object[]): void };
  createElement(name: string): object;
}
/** How many frames stand in a page at once. */
const framesAtOnce = 40;
const secret = "secret-of-this-origin";

describeInBrowser("S04 files that would like to run, in Chromium", (browser) => {
  let app: BootedApp;
  let storage: ReturnType<typeof entrancesOf>;
  /** Keys of what was taken in: by each entrance in `open`, by one of them in `closed`. */
  const [taken, opened]: [string[], string[]] = [[], []];

  beforeAll(async () => {
    app = await boot({
      sql: "insert into storage.buckets (id, name, public) values ('open', 'open', true), ('closed', 'closed', false)",
    });
    storage = entrancesOf(app);
    const ways = Object.entries(storage.ways);
    for (const [at, file] of activeFiles.entries()) {
      const takeIn = async ([name, put]: (typeof ways)[number], way: number): Promise<void> => {
        const key = `${name}/${file.name}`;
        if (!(await put("open", key, file))) return;
        taken.push(key);
        if (!opensAll && at % ways.length !== way) return;
        expect(await put("closed", key, file)).toBe(true);
        opened.push(key);
      };
      await Promise.all(ways.map(takeIn));
    }
  });
  afterAll(async () => {
    storage?.stop();
    await app?.stop();
  });

  /** A page of the server's own origin, which has something to lose, and what scripts have told. */
  async function victim(test: TestContext): Promise<{ readonly page: Page; readonly told: string[] }> {
    const page = await browser.page(test);
    const told: string[] = [];
    await page.context().route(`${beacon}**`, async (route) => {
      told.push(decodeURIComponent(route.request().url().slice(beacon.length)));
      await route.abort();
    });
    await page.context().addCookies([{ name: "session", value: secret, url: app.url }]);
    // What a page with a script would do, were there one.
    await page
      .context()
      .route(`${app.url}/control`, (route) => route.fulfill({ contentType: "text/html", body: pageOf("control") }));
    await page.goto(`${app.url}/health/live`);
    await page.evaluate((secret) => localStorage.setItem("secret", secret), secret);
    return { page, told };
  }
  /** Opens a page that does run a script, so that whatever was opened before has had its time. */
  async function expectOnlyControl(page: Page, told: string[], open: (url: string) => Promise<unknown>): Promise<void> {
    await open(`${app.url}/control`);
    await expect.poll(() => told.some((one) => one.startsWith("control?"))).toBe(true);
    expect([...new Set(told)]).toEqual([`control?${secret}session=${secret}`]);
    expect(page.isClosed()).toBe(false);
    told.length = 0;
  }

  it("are taken in, and told to no browser as a page, by whichever entrance they came", async () => {
    const refused = activeFiles
      .map(({ name }) => name)
      .filter((name) => !taken.some((key) => key.endsWith(`/${name}`)));
    // No header could say these. Forms within forms are refused besides, where files come as forms.
    expect(refused).toEqual(["two-types.png", "no-slash.html", "two-slashes.html"]);
    expect(taken.length).toBeGreaterThan(activeFiles.length * 5);
    for (const key of taken) {
      const { headers } = await fetch(`${app.url}/storage/v1/object/public/open/${key}`, { method: "HEAD" });
      const type = headers.get("content-type") ?? "";
      expect(headers.get("x-content-type-options"), key).toBe("nosniff");
      expect(type, key).toMatch(/^[!-~]+\/[!-~]+/);
      if (type !== "application/pdf") expect(headers.get("content-security-policy"), key).toMatch(/^sandbox;/);
      expect(headers.get("content-security-policy"), key).toMatch(/default-src 'none'|script-src 'none'/);
      expect(type, key).not.toMatch(/text\/html/i);
      if (/xml|xsl|multipart|rfc822|hta|flash|octet|unknown|^\*/i.test(type) && !/^image\/svg\+xml/i.test(type)) {
        expect(headers.get("content-disposition"), key).toMatch(/^attachment/);
      }
    }
  });

  it("run nothing when they are opened", async (test) => {
    const { page, told } = await victim(test);
    const open = (url: string) => page.goto(url, { waitUntil: "load" }).catch(() => null);
    for (const key of opened) await open(`${app.url}/storage/v1/object/public/open/${key}`);
    await expectOnlyControl(page, told, open);
    await page.setExtraHTTPHeaders({ ...storage.service, apikey: app.anonKey });
    for (const key of opened) {
      const url = storage.authenticated("closed", key);
      const { headers } = await fetch(url, { method: "HEAD", headers: storage.service });
      // What is saved, was above.
      if (!headers.has("content-disposition")) await open(url);
    }
    await page.setExtraHTTPHeaders({});
    await expectOnlyControl(page, told, open);
  });

  it("run nothing in frames of the server's own pages, by whichever address", async (test) => {
    // Hundreds of frames: more than other tests may take.
    const { page, told } = await victim(test);
    const shown: string[] = [];
    for (const key of opened) {
      for (const url of Object.values(await storage.addresses("open", "closed", key))) {
        const { headers, body } = await fetch(url);
        await body?.cancel();
        // What is to be saved does not come into a frame.
        if (!headers.has("content-disposition")) shown.push(url);
      }
    }
    expect(shown.length).toBeGreaterThan(opened.length);
    const show = (urls: readonly string[]) =>
      page.evaluate((urls) => {
        const { document } = globalThis as unknown as { document: Document };
        document.body.append(...urls.map((src) => Object.assign(document.createElement("iframe"), { src })));
      }, urls);
    for (let at = 0; at < shown.length; at += framesAtOnce) {
      await page.goto(`${app.url}/health/live`);
      const urls = shown.slice(at, at + framesAtOnce);
      const waiting = new Set(urls.map((url) => new URL(url).href));
      const arrived = (request: Request): void => {
        waiting.delete(request.url());
      };
      page.on("requestfinished", arrived).on("requestfailed", arrived);
      await show(urls);
      await expect.poll(() => [...waiting]).toEqual([]);
      page.off("requestfinished", arrived).off("requestfailed", arrived);
      await expectOnlyControl(page, told, (url) => show([url]));
    }
  }, 180_000);

  it("are not imitated by what is said of a name", async (test) => {
    const { page, told } = await victim(test);
    const open = (url: string) => page.goto(url, { waitUntil: "load" }).catch(() => null);
    const markup = encodeURIComponent(
      `<html xmlns="http://www.w3.org/1999/xhtml"><body onload='alert(1)'>${pageOf("name")}`,
    );
    page.on("dialog", async (dialog) => {
      told.push(`dialog: ${dialog.message()}`);
      await dialog.dismiss();
    });
    for (const path of [
      `object/public/open/${markup}`,
      `object/public/${markup}/x`,
      `object/sign/open/x?token=${markup}`,
      `render/image/public/open/x?width=${markup}`,
      `object/info/public/open/${markup}`,
      `upload/resumable/${markup}`,
      `s3/open/${markup}`,
      `s3/${markup}`,
      `s3/open/x?X-Amz-Algorithm=${markup}`,
      markup,
    ]) {
      await open(`${app.url}/storage/v1/${path}`);
    }
    await expectOnlyControl(page, told, open);
  });
});
