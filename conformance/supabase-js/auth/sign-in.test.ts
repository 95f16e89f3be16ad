import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuthApp, newAddress, newNumber, password, startAuthApp } from "./auth-app.ts";
import { type LocalServer, listen } from "./local-server.ts";

describe("signInWithPassword", () => {
  it("with a password that is too weak by now says so beside the session", async () => {
    const app = await startAuthApp({ passwordMinLength: 20 });
    try {
      const email = newAddress();
      const [row] = await app.sql(`select extensions.crypt('short one', extensions.gen_salt('bf')) as hash`);
      const { admin } = app.client(app.serviceRoleKey).auth;
      await admin.createUser({ email, password_hash: String(row?.hash), email_confirm: true });
      const { data, error } = await app.client().auth.signInWithPassword({ email, password: "short one" });
      expect([error, data.user?.email]).toEqual([null, email]);
      expect(data.weakPassword).toEqual({ reasons: ["length"], message: expect.any(String) });
    } finally {
      await app.stop();
    }
  });
});

describe("captchaToken", () => {
  let app: AuthApp;
  let verifier: LocalServer;
  beforeAll(async () => {
    // As Cloudflare's: a form with the secret and what the page solved.
    verifier = await listen(async (request, reply) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      const given = new URLSearchParams(body);
      const success = given.get("secret") === "captcha-secret" && given.get("response")?.startsWith("solved-");
      reply.writeHead(200, { "Content-Type": "application/json" });
      reply.end(JSON.stringify({ success, "error-codes": success ? [] : ["invalid-input-response"] }));
    });
    app = await startAuthApp({
      captchaEnabled: true,
      captchaProvider: "turnstile",
      captchaSecret: "captcha-secret",
      captchaUrl: verifier.url,
    });
  });
  afterAll(async () => {
    await app.stop();
    await verifier.close();
  });

  const solved = () => `solved-${randomUUID()}`;
  type Options = { readonly captchaToken?: string };
  const methods = {
    signUp: (options: Options) => app.client().auth.signUp({ email: newAddress(), password, options }),
    signInAnonymously: (options: Options) => app.client().auth.signInAnonymously({ options }),
    signInWithPassword: async (options: Options) => {
      const email = newAddress();
      await app.client(app.serviceRoleKey).auth.admin.createUser({ email, password, email_confirm: true });
      return app.client().auth.signInWithPassword({ email, password, options });
    },
    "signInWithOtp by mail": (options: Options) => app.client().auth.signInWithOtp({ email: newAddress(), options }),
    "signInWithOtp by text message": (options: Options) =>
      app.client().auth.signInWithOtp({ phone: newNumber(), options }),
    resetPasswordForEmail: (options: Options) => app.client().auth.resetPasswordForEmail(newAddress(), options),
    resend: (options: Options) => app.client().auth.resend({ type: "signup", email: newAddress(), options }),
  };

  it.each(Object.entries(methods))("%s asks for one", async (_, call) => {
    const refused = { status: 400, code: "captcha_failed" };
    expect((await call({})).error).toMatchObject(refused);
    expect((await call({ captchaToken: "made up" })).error).toMatchObject(refused);
    const captchaToken = solved();
    expect((await call({ captchaToken })).error).toBeNull();
    // Each is for one request.
    expect((await call({ captchaToken })).error).toMatchObject(refused);
  });

  it("refreshSession asks for none: nobody is there to solve it", async () => {
    const client = app.client();
    await client.auth.signInAnonymously({ options: { captchaToken: solved() } });
    expect((await client.auth.refreshSession()).error).toBeNull();
  });
});
