import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type AppWithMail, bootWithMail } from "./app.ts";
import { pressContinue, says } from "./app-page.ts";
import { describeInBrowser } from "./harness.ts";
import { openSite } from "./site.ts";

describeInBrowser("the page that a mail's link opens", (browser) => {
  let app: AppWithMail;
  beforeAll(async () => {
    app = await bootWithMail();
  });
  afterAll(() => app?.stop());

  /** Asks for a link as an app without PKCE does. */
  const newLink = async () => {
    const email = `${randomUUID()}@browser.example`;
    const redirectTo = `${app.site.origin}/implicit/account.html`;
    const reply = await fetch(`${app.url}/auth/v1/otp?${new URLSearchParams({ redirect_to: redirectTo })}`, {
      method: "POST",
      headers: { apikey: app.publishableKey, "content-type": "application/json" },
      body: JSON.stringify({ email }),
    });
    expect(reply.status).toBe(200);
    return { email, link: await app.linkTo(email, "confirmation") };
  };

  it("A21: scanners ask for it, open it and run what is in it, three times each; then the person gets in", async (test) => {
    const { email, link } = await newLink();
    const scanner = await browser.page(test);
    for (let round = 0; round < 3; round++) {
      expect((await fetch(link, { method: "HEAD", redirect: "error" })).status).toBe(200);
      expect((await fetch(link, { redirect: "error" })).status).toBe(200);
      await scanner.goto(link);
      // They follow what else is linked, too.
      expect(await scanner.locator("a").count()).toBe(0);
    }
    expect(
      await app.sql("select 1 from auth.sessions join auth.users u on u.id = user_id where email = $1", [email]),
    ).toEqual([]);
    const page = await browser.page(test);
    await page.goto(link);
    await pressContinue(page);
    await says(page, "who", `${email} by email`);
  });

  it("works by keyboard, without script, and says where it leads", async (test) => {
    const { link } = await newLink();
    const page = await browser.page(test, { javaScriptEnabled: false });
    await page.goto(link);
    expect(await page.textContent("main p")).toBe(`You will go on to ${new URL(app.site.origin).host}.`);
    expect(await page.getAttribute("html", "lang")).toBe("en");
    await page.keyboard.press("Tab");
    expect(await page.locator(":focus").textContent()).toBe("Continue");
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.pathname === "/implicit/account.html");
    const facts = new URLSearchParams(new URL(page.url()).hash.slice(1));
    expect(facts.get("access_token")).toBeTruthy();
  });

  it("asks nobody else for anything, and tells no site what its address was", async (test) => {
    const { link } = await newLink();
    const page = await browser.page(test);
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.goto(link);
    expect(asked.filter((url) => url !== link && !url.endsWith("/favicon.ico"))).toEqual([]);
    const [request] = await Promise.all([
      page.waitForRequest((request) => request.url().startsWith(app.site.origin)),
      pressContinue(page),
    ]);
    expect((await request.allHeaders()).referer).toBeUndefined();
  });

  it("is not shown inside of another site, where a press could be stolen", async (test) => {
    const { link } = await newLink();
    const page = await browser.page(test);
    await page.goto(app.site.origin);
    await page.setContent(`<iframe src="${link.replaceAll("&", "&amp;")}"></iframe>`);
    await expect.poll(() => page.frames().length).toBe(2);
    await expect.poll(() => page.frames()[1]?.url()).toMatch(/^chrome-error:/);
  });

  it("X04: a form on another site does not sign its visitor in as somebody else; the visitor is asked", async (test) => {
    const { link } = await newLink();
    const evil = await openSite();
    try {
      const page = await browser.page(test);
      await page.goto(evil.origin);
      const inputs = [...new URL(link).searchParams].map(([name, value]) => `<input name="${name}" value="${value}">`);
      await page.setContent(
        `<form method="post" action="${link.split("?")[0]}">${inputs.join("")}<button>Win</button></form>`,
      );
      await page.click("button");
      await page.getByRole("button", { name: "Continue" }).waitFor();
      expect(new URL(page.url()).origin).toBe(new URL(app.url).origin);
    } finally {
      await evil.stop();
    }
  });

  it("X05: names nothing but what is allowed, whatever the address says", async (test) => {
    const { link } = await newLink();
    const page = await browser.page(test);
    let opened = 0;
    page.on("dialog", (dialog) => {
      opened++;
      return dialog.dismiss();
    });
    const payload = `"><script>alert(1)</script><img src=x onerror=alert(1)>`;
    for (const name of ["token", "type", "redirect_to"]) {
      const url = new URL(link);
      url.searchParams.set(name, name === "redirect_to" ? `javascript:alert(1)//${payload}` : payload);
      await page.goto(url.href);
      expect(await page.locator("script, img").count()).toBe(0);
      expect(await page.locator("form").getAttribute("action")).toBe("verify");
    }
    expect(await page.textContent("strong")).toBe(new URL(app.site.origin).host);
    expect(opened).toBe(0);
  });
});
