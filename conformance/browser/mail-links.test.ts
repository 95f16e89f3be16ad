import { randomUUID } from "node:crypto";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type AppWithMail, bootWithMail } from "./app.ts";
import { isClean, pressContinue, says, send } from "./app-page.ts";
import { describeInBrowser } from "./harness.ts";

const password = "correct horse battery staple";
const newAddress = () => `${randomUUID()}@browser.example`;

describeInBrowser("links in mails, in Chromium", (browser) => {
  let app: AppWithMail;
  beforeAll(async () => {
    app = await bootWithMail({ settings: { auth: { redirectAllowList: ["myapp://login-callback"] } } });
  });
  afterAll(() => app?.stop());

  const open = (page: Page, flow: string, name: string) => page.goto(`${app.site.origin}/${flow}/${name}.html`);

  const askAsBackend = async (path: string, body: unknown) => {
    const reply = await fetch(`${app.url}/auth/v1${path}`, {
      method: "POST",
      headers: { apikey: app.secretKey, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    expect(reply.status).toBe(200);
  };

  /** Somebody with an account whose address is confirmed. */
  const newAccount = async () => {
    const email = newAddress();
    await askAsBackend("/admin/users", { email, password, email_confirm: true });
    return email;
  };

  const signIn = async (page: Page, flow: string, email: string) => {
    await open(page, flow, "sign-in");
    await send(page, "sign-in", { email, password });
    await says(page, "said", "Welcome back.");
  };

  /** What somebody who signs in elsewhere is told; `null` when they are in. */
  const refusalOf = async (email: string, secret = password) => {
    const reply = await fetch(`${app.url}/auth/v1/token?grant_type=password`, {
      method: "POST",
      headers: { apikey: app.publishableKey, "content-type": "application/json" },
      body: JSON.stringify({ email, password: secret }),
    });
    return ((await reply.json()) as { error_code?: string }).error_code ?? null;
  };

  for (const flow of ["implicit", "pkce"]) {
    it(`${flow}: a new address is confirmed, and only then is there a way in`, async (test) => {
      const [page, email] = [await browser.page(test), newAddress()];
      await open(page, flow, "sign-up");
      await send(page, "sign-up", { email, password });
      await says(page, "said", "Look into your mail.");
      await says(page, "who", "nobody");
      expect(await refusalOf(email)).toBe("email_not_confirmed");

      const link = await app.linkTo(email, "confirmation");
      await page.goto(link);
      expect(await page.textContent("h1")).toBe("Confirm your e-mail address");
      await pressContinue(page);
      await says(page, "who", `${email} by email`);
      await says(page, "events", /\bSIGNED_IN\b/);
      expect(page.url()).toMatch(`${app.site.origin}/${flow}/account.html`);
      await isClean(page);

      expect(await refusalOf(email)).toBeNull();
      // The link has done what it was for.
      const late = await browser.page(test);
      await late.goto(link);
      if (flow === "implicit") await pressContinue(late);
      await says(late, "problem", /^otp_expired: Email link is invalid or has expired/);
      await says(late, "who", "nobody");
    });

    it(`${flow}: a forgotten password is replaced`, async (test) => {
      const [page, email] = [await browser.page(test), await newAccount()];
      await open(page, flow, "forgotten");
      await send(page, "forgotten", { email });
      await says(page, "said", "Look into your mail.");
      await page.goto(await app.linkTo(email, "recovery"));
      if (flow === "implicit") {
        expect(await page.textContent("h1")).toBe("Continue to reset your password");
        await pressContinue(page);
      }
      await says(page, "events", /\bPASSWORD_RECOVERY\b/);
      await says(page, "who", `${email} by email`);
      await isClean(page);
      await send(page, "new-password", { password: "another horse, another battery" });
      await says(page, "said", "Saved.");

      expect(await refusalOf(email)).toBe("invalid_credentials");
      expect(await refusalOf(email, "another horse, another battery")).toBeNull();
      expect((await app.mailTo(email, "password_changed")).subject).toMatch(/password .* was changed/);
    });

    it(`${flow}: an address is changed when its old and its new owner have agreed`, async (test) => {
      const [page, email, newEmail] = [await browser.page(test), await newAccount(), newAddress()];
      await signIn(page, flow, email);
      await open(page, flow, "account");
      await send(page, "email-change", { email: newEmail });
      await says(page, "said", `Waiting for ${newEmail}.`);

      await page.goto(await app.linkTo(newEmail, "email_change"));
      expect(await page.textContent("h1")).toBe("Confirm the change of your e-mail address");
      await pressContinue(page);
      await says(page, "message", /proceed to confirm link sent to the other email/);
      await says(page, "who", `${email} by email`);

      await page.goto(await app.linkTo(email, "email_change"));
      await pressContinue(page);
      await says(page, "who", `${newEmail} by email`);
      await isClean(page);
      const told = await app.mailTo(email, "email_changed");
      expect(told.text).toContain(newEmail);
      expect([await refusalOf(email), await refusalOf(newEmail)]).toEqual(["invalid_credentials", null]);
    });
  }

  it("implicit: a link signs in, on whatever device it is opened", async (test) => {
    const [page, email] = [await browser.page(test), newAddress()];
    await open(page, "implicit", "magic-link");
    await send(page, "magic-link", { email });
    await says(page, "said", "Look into your mail.");
    const tablet = await browser.page(test);
    await tablet.goto(await app.linkTo(email, "confirmation"));
    await pressContinue(tablet);
    await says(tablet, "who", `${email} by email`);
    await isClean(tablet);
    await tablet.reload();
    await says(tablet, "who", `${email} by email`);
  });

  it("pkce: a link signs in where it was asked for, at once, and nowhere else", async (test) => {
    const [page, email] = [await browser.page(test), await newAccount()];
    await open(page, "pkce", "magic-link");
    await send(page, "magic-link", { email });
    await says(page, "said", "Look into your mail.");
    const link = await app.linkTo(email, "magic_link");

    const stranger = await browser.page(test);
    await stranger.goto(link);
    await says(stranger, "who", "nobody");
    await says(stranger, "events", "INITIAL_SESSION");

    await page.goto(link);
    await says(page, "who", `${email} by email`);
    await isClean(page);
  });

  it("an invitation is taken up, and a password chosen", async (test) => {
    const [page, email] = [await browser.page(test), newAddress()];
    const redirectTo = `${app.site.origin}/implicit/new-password.html`;
    await askAsBackend(`/invite?${new URLSearchParams({ redirect_to: redirectTo })}`, { email });
    await page.goto(await app.linkTo(email, "invite"));
    expect(await page.textContent("h1")).toBe("Accept your invitation");
    await pressContinue(page);
    await says(page, "who", `${email} by email`);
    await send(page, "new-password", { password });
    await says(page, "said", "Saved.");
    expect(await refusalOf(email)).toBeNull();
  });

  it("an app on the phone is opened by its scheme", async (test) => {
    const [page, email] = [await browser.page(test), newAddress()];
    const refused: string[] = [];
    page.on("console", (message) => refused.push(message.text()));
    const reply = await fetch(`${app.url}/auth/v1/otp?redirect_to=myapp%3A%2F%2Flogin-callback`, {
      method: "POST",
      headers: { apikey: app.publishableKey, "content-type": "application/json" },
      body: JSON.stringify({ email }),
    });
    expect(reply.status).toBe(200);
    await page.goto(await app.linkTo(email, "confirmation"));
    expect(await page.textContent("p")).toBe("You will go on to myapp.");
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.request().method() === "POST"),
      pressContinue(page),
    ]);
    expect(answer.status()).toBe(303);
    const location = new URL((await answer.allHeaders()).location ?? "");
    expect([location.protocol, location.host]).toEqual(["myapp:", "login-callback"]);
    expect([...new URLSearchParams(location.hash.slice(1)).keys()].toSorted()).toEqual(
      ["access_token", "expires_at", "expires_in", "refresh_token", "sb", "token_type", "type"].toSorted(),
    );
    // The page's own policy lets the browser go there.
    expect(refused.filter((text) => /Content Security Policy/i.test(text))).toEqual([]);
  });
});
