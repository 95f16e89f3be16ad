import { randomUUID } from "node:crypto";
import { freePort } from "@mainstay/testing";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type AppWithMail, bootWithMail } from "./app.ts";
import { isClean, says, send } from "./app-page.ts";
import { describeInBrowser } from "./harness.ts";
import { type Issuer, openIssuer } from "./issuer.ts";

const password = "correct horse battery staple";
const newAddress = () => `${randomUUID()}@browser.example`;

/** Everybody is somebody else's test, and has an account at the issuer. */
const people = Object.fromEntries(
  ["ada-implicit", "ada-pkce", "grace", "linus-implicit", "linus-pkce", "taken", "mallory"].map((name) => [
    name,
    { email: `${name}@acme.example`, email_verified: name !== "mallory", name },
  ]),
);

describeInBrowser("sign-in with a provider, in Chromium", (browser) => {
  let app: AppWithMail;
  let issuer: Issuer;
  beforeAll(async () => {
    const port = await freePort();
    issuer = await openIssuer(`http://127.0.0.1:${port}/auth/v1/callback`, people, password);
    app = await bootWithMail({
      settings: {
        http: { port },
        auth: {
          manualLinkingEnabled: true,
          providers: {
            "custom:acme": { issuer: issuer.url, client_id: issuer.client.id, secret: issuer.client.secret },
          },
        },
      },
    });
  });
  afterAll(async () => {
    await app?.stop();
    await issuer?.stop();
  });

  const open = (page: Page, flow: string, name: string) => page.goto(`${app.site.origin}/${flow}/${name}.html`);

  /** Signs in at the issuer's own page, and allows the app what it asks. */
  const allow = async (page: Page, name: string) => {
    await page.getByRole("heading", { name: "Sign in to Acme" }).waitFor();
    await page.fill("[name=name]", name);
    await page.fill("[name=password]", password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("button", { name: "Allow" }).click();
  };

  const signUp = async (page: Page, flow: string) => {
    const email = newAddress();
    const reply = await fetch(`${app.url}/auth/v1/admin/users`, {
      method: "POST",
      headers: { apikey: app.secretKey, "content-type": "application/json" },
      body: JSON.stringify({ email, password, email_confirm: true }),
    });
    expect(reply.status).toBe(200);
    await open(page, flow, "sign-in");
    await send(page, "sign-in", { email, password });
    await says(page, "said", "Welcome back.");
    return email;
  };

  for (const flow of ["implicit", "pkce"]) {
    it(`${flow}: signs in by way of the provider's own pages, and again without them`, async (test) => {
      const page = await browser.page(test);
      await open(page, flow, "sign-in");
      await page.click("#provider");
      expect(new URL(page.url()).origin).not.toBe(app.site.origin);
      await allow(page, `ada-${flow}`);
      await says(page, "who", `ada-${flow}@acme.example by custom:acme`);
      await says(page, "events", /\bSIGNED_IN\b/);
      await isClean(page);
      const provider = await page.evaluate(
        "import('/app.js').then(async ({ client }) => (await client.auth.getSession()).data.session.provider_token)",
      );
      expect(provider).toEqual(expect.any(String));

      // The session is a whole one, and ends.
      await page.reload();
      await says(page, "who", `ada-${flow}@acme.example by custom:acme`);
      await page.click("#sign-out");
      await says(page, "who", "nobody");
      // The provider remembers; the account is the same one.
      await open(page, flow, "sign-in");
      await page.click("#provider");
      await says(page, "who", `ada-${flow}@acme.example by custom:acme`);
      expect(await app.sql("select 1 from auth.users where email = $1", [`ada-${flow}@acme.example`])).toHaveLength(1);
    });

    it(`${flow}: whoever says no at the provider is back, signed out, and told so`, async (test) => {
      const page = await browser.page(test);
      await open(page, flow, "sign-in");
      await page.click("#provider");
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.waitForURL(`${app.site.origin}/**`);
      await says(page, "problem", /^access_denied: The person said no\./);
      await says(page, "who", "nobody");
    });

    it(`${flow}: an account is linked to one at the provider, which signs in to it from then on`, async (test) => {
      const page = await browser.page(test);
      const email = await signUp(page, flow);
      await open(page, flow, "account");
      await says(page, "who", `${email} by email`);
      await page.click("#link");
      await allow(page, `linus-${flow}`);
      await page.waitForURL(`${app.site.origin}/**`);
      await says(page, "who", `${email} by custom:acme,email`);
      await isClean(page);
      expect((await app.mailTo(email, "identity_linked")).subject).toMatch(/was added$/);

      const tablet = await browser.page(test);
      await open(tablet, flow, "sign-in");
      await tablet.click("#provider");
      await allow(tablet, `linus-${flow}`);
      await says(tablet, "who", `${email} by custom:acme,email`);
    });
  }

  it("what the provider has linked to one account is not linked to another", async (test) => {
    const owner = await browser.page(test);
    await open(owner, "pkce", "sign-in");
    await owner.click("#provider");
    await allow(owner, "taken");
    await says(owner, "who", "taken@acme.example by custom:acme");

    const page = await browser.page(test);
    const email = await signUp(page, "pkce");
    await open(page, "pkce", "account");
    await page.click("#link");
    await allow(page, "taken");
    await page.waitForURL(`${app.site.origin}/**`);
    await says(page, "problem", /^identity_already_exists:/);
    await says(page, "who", `${email} by email`);
  });

  it("A06: an address that the provider does not vouch for opens nothing", async (test) => {
    const page = await browser.page(test);
    await open(page, "pkce", "sign-in");
    await page.click("#provider");
    await allow(page, "mallory");
    await page.waitForURL(`${app.site.origin}/**`);
    await says(page, "problem", /^provider_email_needs_verification:/);
    await says(page, "who", "nobody");
  });

  it("A09: going back in the browser, to an answer that was used, ends nothing and opens nothing twice", async (test) => {
    const page = await browser.page(test);
    let answer = "";
    page.on("request", (request) => {
      if (request.url().startsWith(`${app.url}/auth/v1/callback`)) answer = request.url();
    });
    await open(page, "pkce", "sign-in");
    await page.click("#provider");
    await allow(page, "grace");
    await says(page, "who", "grace@acme.example by custom:acme");
    const stranger = await browser.page(test);
    await stranger.goto(answer);
    // Nothing is known of it any more, not even the page to return to.
    const { origin, searchParams, hash } = new URL(stranger.url());
    expect([origin, searchParams.get("error_code")]).toEqual([app.site.origin, "bad_oauth_state"]);
    expect(hash).not.toContain("access_token");
    await page.reload();
    await says(page, "who", "grace@acme.example by custom:acme");
  });
});
