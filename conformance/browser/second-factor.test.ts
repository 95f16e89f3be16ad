import { createHmac, randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type AppWithMail, bootWithMail } from "./app.ts";
import { says, send } from "./app-page.ts";
import { describeInBrowser } from "./harness.ts";
import { readQr } from "./qr.ts";

const password = "correct horse battery staple";

/** An authenticator app that has scanned this: codes of RFC 6238, one step later each time, as it is used once only. */
function authenticator(uri: URL): () => string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const secret = uri.searchParams.get("secret") ?? "";
  const bits = [...secret].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  let step = Math.floor(Date.now() / 30_000) - 2;
  return () => {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(++step));
    const mac = createHmac("sha1", key).update(counter).digest();
    const number = mac.readUInt32BE((mac.at(-1) ?? 0) & 15) & 0x7fffffff;
    return String(number % 1_000_000).padStart(6, "0");
  };
}

describeInBrowser("a second factor, in Chromium", (browser) => {
  let app: AppWithMail;
  beforeAll(async () => {
    app = await bootWithMail({ settings: { auth: { mailerAutoconfirm: true } } });
  });
  afterAll(() => app?.stop());

  it("is added by scanning what is on the screen, and then asked for at the next sign-in", async (test) => {
    const [page, email] = [await browser.page(test), `${randomUUID()}@browser.example`];
    const at = (name: string) => `${app.site.origin}/pkce/${name}.html`;
    await page.goto(at("sign-up"));
    await send(page, "sign-up", { email, password });
    await says(page, "said", "Welcome.");

    await page.goto(at("second-factor"));
    await says(page, "level", "aal1, could be aal1");
    await page.click("#enroll");
    await page.locator("#qr").waitFor();
    const uri = new URL(await readQr(page, "#qr"));
    expect([uri.protocol, uri.host, decodeURIComponent(uri.pathname)]).toEqual(["otpauth:", "totp", `/Roam:${email}`]);
    const code = authenticator(uri);
    await send(page, "code", { code: "000000" === code() ? "111111" : "000000" });
    await says(page, "said", /^mfa_verification_failed:/);
    await send(page, "code", { code: code() });
    await says(page, "said", "Verified.");
    await says(page, "level", "aal2, could be aal2");
    await app.mailTo(email, "mfa_factor_enrolled");

    const tablet = await browser.page(test);
    await tablet.goto(at("sign-in"));
    await send(tablet, "sign-in", { email, password });
    await says(tablet, "said", "Welcome back.");
    await tablet.goto(at("second-factor"));
    await says(tablet, "level", "aal1, could be aal2");
    // Without it the factor cannot be passed by with one of one's own.
    await tablet.click("#enroll");
    await says(tablet, "said", /^insufficient_aal:/);
    await send(tablet, "code", { code: code() });
    await says(tablet, "said", "Verified.");
    await says(tablet, "level", "aal2, could be aal2");
    await tablet.reload();
    await says(tablet, "level", "aal2, could be aal2");
  });
});
