import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { describe, expect, test } from "vitest";
import { readSettings, type Values } from "../../../kernel/settings.ts";
import { authSettings } from "../settings.ts";
import { clientSecretOf } from "./client-secret.ts";
import { storableProfile } from "./profile.ts";
import { assertDefinition } from "./provider.ts";
import { azure } from "./providers/azure.ts";
import { definitions } from "./providers/index.ts";
import { createProviders, enabledProviders, idleProviders } from "./registry.ts";
import { providerFields, providerNames, providerSetting } from "./settings.ts";
import { s256 } from "./testing.ts";
import type { Authorization, ProfileSource, ProviderDefinition, ProviderOptions } from "./types.ts";

const clock = { nowMs: () => 1_800_000_000_000 };
const settingsOf = (given: Partial<Values<typeof authSettings>> = {}, env: Record<string, string> = {}) => ({
  ...readSettings(authSettings, { env }).values,
  publicUrl: "https://api.example.com",
  ...given,
});
const providersOf = (given: Partial<Values<typeof authSettings>>) =>
  createProviders({ settings: settingsOf(given), clock });

const authorization: Authorization = {
  state: "the-state",
  codeVerifier: "v".repeat(43),
  nonce: "the-nonce",
  scopes: [],
  params: {},
};

describe("A24 a provider that is not whole does not start", () => {
  const whole: ProviderDefinition = definitions.github;
  const oidcOnly: ProviderDefinition = definitions.google;

  test.each(["endpoints", "profile"])("without oauth2.%s", (method) => {
    const rules = { ...whole.oauth2, [method]: undefined };
    expect(() => assertDefinition({ ...whole, oauth2: rules as never })).toThrow(`oauth2.${method}`);
    const known = { github: { ...whole, oauth2: rules as never } };
    const settings = settingsOf({ githubEnabled: true, githubClientIds: ["id"], githubSecret: "secret" });
    expect(() => createProviders({ settings, clock }, known)).toThrow(`oauth2.${method}`);
  });

  test.each(["issuer", "isIssuer", "profile"])("without oidc.%s", (method) => {
    const rules = { ...oidcOnly.oidc, [method]: undefined };
    expect(() => assertDefinition({ ...oidcOnly, oidc: rules as never })).toThrow(`oidc.${method}`);
  });

  test("without any way to say who somebody is", () => {
    const { oidc: _, ...neither } = oidcOnly;
    expect(() => assertDefinition(neither)).toThrow("no way");
  });

  test("all of ours are whole, and named as their settings are", () => {
    for (const name of providerNames) {
      expect(() => assertDefinition(definitions[name])).not.toThrow();
      expect(definitions[name].name).toBe(name);
    }
  });
});

describe("settings", () => {
  test("that switch a provider on without a client id are told apart from those that leave it off", () => {
    const settings = settingsOf({
      googleEnabled: true,
      githubEnabled: true,
      githubClientIds: ["id"],
      githubSecret: "secret",
      providers: {
        "custom:acme": { issuer: "https://acme.example", enabled: false },
        "custom:b": { issuer: "https://b.example" },
      },
    });
    expect([...enabledProviders(settings)]).toEqual(["github"]);
    expect(idleProviders(settings)).toEqual(["google", "custom:b"]);
  });

  test("every provider has each field, under GoTrue's variable and ours", () => {
    for (const name of providerNames) {
      for (const [key, field] of providerFields) {
        const { env } = authSettings[providerSetting(name, field)];
        expect(env).toContain(`GOTRUE_EXTERNAL_${name}_${key}`.toUpperCase());
        expect(env[0]).toBe(`MAINSTAY_OAUTH_${name}_${key}`.toUpperCase());
      }
      expect(authSettings[providerSetting(name, "Secret")].isSecret).toBe(true);
    }
  });

  test("A02 a provider without a client id is off, whatever is said", () => {
    const env = { GOTRUE_EXTERNAL_GOOGLE_ENABLED: "true", GOTRUE_EXTERNAL_GOOGLE_SECRET: "s" };
    expect([...enabledProviders(settingsOf({}, env))]).toEqual([]);
    const both = settingsOf({}, { ...env, GOTRUE_EXTERNAL_GOOGLE_CLIENT_ID: "web, ios" });
    expect([...enabledProviders(both)]).toEqual(["google"]);
    expect(both.googleClientIds).toEqual(["web", "ios"]);
  });

  test("a provider of one's own, and options of a known one, come as an object", () => {
    const settings = settingsOf(
      {},
      {
        MAINSTAY_OAUTH_PROVIDERS: JSON.stringify({
          "custom:acme": { issuer: "https://id.acme.example", client_id: "a b", secret: "s" },
          github: { client_id: "gh", secret: "s" },
          gitlab: { client_id: "gl", secret: "s", enabled: false },
        }),
      },
    );
    expect([...enabledProviders(settings)].sort()).toEqual(["custom:acme", "github"]);
    expect(() => createProviders({ settings, clock })).not.toThrow();
  });

  test.each([
    [{ acme: { issuer: "https://a.example", client_id: "a" } }, "custom:"],
    [{ "custom:UPPER": { issuer: "https://a.example", client_id: "a" } }, "custom:"],
    [{ "custom:a": { issuer: "https://a.example", client_id: "a", issuers: [] } }, "issuers"],
    [{ "custom:a": { client_id: "a", secret: "s" } }, "issuer"],
    [{ "custom:a": { issuer: "https://a.example", token_url: "https://a.example/t", client_id: 7 } }, "client_id"],
    [{ "custom:a": { authorization_url: "https://a.example", client_id: "a" } }, "issuer"],
    [{ "custom:a": { issuer: "http://a.example", client_id: "a" } }, "https"],
    [{ "custom:a": { issuer: "nonsense", client_id: "a" } }, "https"],
    [{ "custom:a": 7 }, "object"],
  ])("an entry that cannot work is refused at start: %j", (providers, text) => {
    expect(() => providersOf({ providers })).toThrow(text);
  });

  test("no secret is in a message", () => {
    const providers = { "custom:a": { issuer: "x", client_id: "a", secret: ["hunter2"] } };
    expect(() => providersOf({ providers })).toThrow(/^(?!.*hunter2)/s);
    expect(() =>
      providersOf({
        appleEnabled: true,
        appleClientIds: ["a"],
        appleTeamId: "t",
        appleKeyId: "k",
        applePrivateKey: "hunter2",
      }),
    ).toThrow(/^(?!.*hunter2).*p8/s);
  });
});

describe("where a provider asks", () => {
  test.each(Object.entries(definitions).filter(([, { oauth2 }]) => oauth2 !== undefined))(
    "%s: over https, with our own state and callback, and no secret",
    async (name, definition) => {
      const settings = settingsOf({
        providers: { [name]: { client_id: "the-client", secret: "the-secret" } },
      });
      const url = new URL(
        await createProviders({ settings, clock })
          .get(name)
          .authorizationUrl({
            ...authorization,
            scopes: ["extra"],
            params: { prompt: "login", state: "evil", client_id: "evil" },
          }),
      );
      expect(url.protocol).toBe("https:");
      const { state, client_id, redirect_uri, response_type, prompt } = Object.fromEntries(url.searchParams);
      expect({ state, client_id, redirect_uri, response_type, prompt }).toEqual({
        state: "the-state",
        client_id: "the-client",
        redirect_uri: "https://api.example.com/auth/v1/callback",
        response_type: "code",
        prompt: "login",
      });
      expect(url.searchParams.get("scope")?.split(" ")).toEqual([...definition.scopes, "extra"]);
      expect(url.href).not.toContain("the-secret");
      expect(url.href).not.toContain(authorization.codeVerifier);
      const challenge = definition.usesPkce ? s256(authorization.codeVerifier) : null;
      expect(url.searchParams.get("code_challenge")).toBe(challenge);
      expect(url.searchParams.get("code_challenge_method")).toBe(definition.usesPkce ? "S256" : null);
    },
  );
});

describe("who somebody is", () => {
  const ask = async (definition: ProviderDefinition, answers: Record<string, unknown>, answer = {}) => {
    const asked: string[] = [];
    const source: ProfileSource = {
      tokens: { accessToken: "t", refreshToken: null, answer },
      api: definition.oauth2!.endpoints(null).api,
      clientId: "id",
      clientSecret: "secret",
      async get(url) {
        asked.push(url);
        const found = Object.entries(answers).find(([path]) => new URL(url).pathname.endsWith(path));
        return found?.[1] ?? {};
      },
    };
    const profile = await definition.oauth2!.profile(source);
    for (const url of asked) expect(url).toMatch(/^https:\/\//);
    return profile;
  };
  const ada = { name: "Ada", email: "ada@example.com" };

  test.each<[keyof typeof definitions, Record<string, unknown>, string, boolean]>([
    [
      "github",
      { "/user": { id: 7, login: "ada" }, "/user/emails": [{ email: ada.email, primary: true, verified: true }] },
      "7",
      true,
    ],
    [
      "github",
      { "/user": { id: 7, email: ada.email }, "/user/emails": [{ email: ada.email, primary: true, verified: false }] },
      "7",
      false,
    ],
    ["gitlab", { "/user": { id: 7, ...ada, confirmed_at: "2020-01-01" } }, "7", true],
    ["gitlab", { "/user": { id: 7, ...ada, confirmed_at: null } }, "7", false],
    ["discord", { "/users/@me": { id: "7", username: "ada", email: ada.email, verified: true } }, "7", true],
    ["discord", { "/users/@me": { id: "7", username: "ada", email: ada.email } }, "7", false],
    ["facebook", { "/me": { id: "7", ...ada } }, "7", true],
    ["x", { "/2/users/me": { data: { id: "7", username: "ada", confirmed_email: ada.email } } }, "7", true],
    ["twitter", { "/2/users/me": { data: { id: "7", username: "ada", confirmed_email: ada.email } } }, "7", true],
    ["linkedin_oidc", { "/userinfo": { sub: "7", ...ada, email_verified: true } }, "7", true],
    ["linkedin_oidc", { "/userinfo": { sub: "7", ...ada } }, "7", false],
    [
      "linkedin",
      { "/me": { id: "7" }, "/emailAddress": { elements: [{ "handle~": { emailAddress: ada.email } }] } },
      "7",
      false,
    ],
    ["spotify", { "/me": { id: "7", display_name: "Ada", email: ada.email } }, "7", false],
    ["twitch", { "/helix/users": { data: [{ id: "7", login: "ada", email: ada.email }] } }, "7", true],
    [
      "slack_oidc",
      { "/openid.connect.userInfo": { "https://slack.com/user_id": "7", ...ada, email_verified: true } },
      "7",
      true,
    ],
    ["slack", { "/openid.connect.userInfo": { "https://slack.com/user_id": "7", ...ada } }, "7", false],
    [
      "kakao",
      { "/v2/user/me": { id: 7, kakao_account: { email: ada.email, is_email_valid: true, is_email_verified: true } } },
      "7",
      true,
    ],
    [
      "kakao",
      { "/v2/user/me": { id: 7, kakao_account: { email: ada.email, is_email_valid: false, is_email_verified: true } } },
      "7",
      false,
    ],
    [
      "bitbucket",
      {
        "/user": { uuid: "{7}" },
        "/user/emails": { values: [{ email: ada.email, is_primary: true, is_confirmed: true }] },
      },
      "{7}",
      true,
    ],
    [
      "bitbucket",
      { "/user": { uuid: "{7}" }, "/user/emails": { values: [{ email: ada.email, is_primary: true }] } },
      "{7}",
      false,
    ],
    [
      "notion",
      { "/v1/users/me": { bot: { owner: { user: { id: "7", name: "Ada", person: { email: ada.email } } } } } },
      "7",
      false,
    ],
    ["figma", { "/v1/me": { id: "7", handle: "Ada", email: ada.email } }, "7", false],
    ["zoom", { "/users/me": { id: "7", first_name: "Ada", email: ada.email, verified: 1 } }, "7", true],
    ["zoom", { "/users/me": { id: "7", first_name: "Ada", email: ada.email, verified: 0 } }, "7", false],
  ])("A06 %s vouches for an address or does not: %j", async (name, answers, subject, isEmailVerified) => {
    const profile = await ask(definitions[name], answers);
    expect(profile).toMatchObject({ subject, email: ada.email, isEmailVerified });
    expect(profile.data).toMatchObject({
      sub: subject,
      provider_id: subject,
      email: ada.email,
      email_verified: isEmailVerified,
    });
  });

  test("workos says it with the token, and vouches for nothing", async () => {
    const profile = await ask(
      definitions.workos,
      {},
      { profile: { id: "prof_7", email: ada.email, first_name: "Ada" } },
    );
    expect(profile).toMatchObject({ subject: "prof_7", email: ada.email, isEmailVerified: false });
  });

  test("nothing at all makes nobody", async () => {
    for (const [name, definition] of Object.entries(definitions)) {
      if (definition.oauth2 === undefined) continue;
      const profile = await ask(definition, {});
      expect([name, profile.subject, profile.isEmailVerified]).toEqual([name, "", false]);
      expect(storableProfile(profile, 1_000)).toBeNull();
    }
  });

  const common = "https://login.microsoftonline.com/{tenantid}/v2.0";
  const tenant = "11111111-2222-3333-4444-555555555555";
  const of = (tid: string) => common.replace("{tenantid}", tid);

  test("A01 azure: one tenant's tokens name that tenant, and nothing else passes for one", () => {
    const isIssuer = (claims: Record<string, unknown>, discovered = common) => azure.oidc!.isIssuer(claims, discovered);
    expect(isIssuer({ iss: of(tenant), tid: tenant })).toBe(true);
    for (const claims of [
      { iss: of(tenant) },
      { iss: of(tenant), tid: of("x") },
      { iss: common, tid: "{tenantid}" },
      { iss: "https://evil.example/v2.0", tid: tenant },
      { iss: of("../evil"), tid: "../evil" },
      { iss: of("99999999-2222-3333-4444-555555555555"), tid: tenant },
    ]) {
      expect(isIssuer(claims)).toBe(false);
    }
    const single = of(tenant);
    expect(isIssuer({ iss: single, tid: tenant }, single)).toBe(true);
    expect(isIssuer({ iss: of("99999999-2222-3333-4444-555555555555"), tid: tenant }, single)).toBe(false);
  });

  test("A06 azure: an address counts where its domain's owner, Microsoft or the operator's one tenant says so", () => {
    const verified = (claims: Record<string, unknown>, discovered: string) =>
      azure.oidc!.profile({ sub: "7", email: ada.email, ...claims }, discovered).isEmailVerified;
    const personal = "9188040d-6c67-4c5b-b112-36a304b66dad";
    expect(verified({ tid: tenant }, common)).toBe(false);
    expect(verified({ tid: tenant, xms_edov: true }, common)).toBe(true);
    expect(verified({ tid: tenant, xms_edov: "1" }, common)).toBe(true);
    expect(verified({ tid: tenant, xms_edov: "0" }, common)).toBe(false);
    expect(verified({ tid: tenant, xms_edov: false }, of(tenant))).toBe(false);
    expect(verified({ tid: personal }, common)).toBe(true);
    expect(verified({ tid: tenant }, of(tenant))).toBe(true);
  });

  test("a provider's texts are made storable, except who it is", () => {
    const profile = (subject: string, data: Record<string, unknown>) => ({
      subject,
      email: "",
      isEmailVerified: false,
      data,
    });
    expect(storableProfile(profile("a\0", {}), 1_000)).toBeNull();
    expect(storableProfile(profile("\ud800", {}), 1_000)).toBeNull();
    expect(storableProfile(profile("x".repeat(513), {}), 1_000)).toBeNull();
    const stored = storableProfile(
      profile("7", { sub: "7", name: "A\0da\ud800", picture: "p".repeat(5_000), extra: 1 }),
      3_000,
    );
    expect(stored?.data).toEqual({ sub: "7", name: "Ada\ufffd", picture: "p".repeat(2_048), extra: 1 });
    const large = storableProfile(profile("7", { sub: "7", custom_claims: { a: "x".repeat(900) } }), 500);
    expect(large?.data).toEqual({ sub: "7" });
    const long = storableProfile(profile("7", { sub: "7", name: "Ada", picture: "p".repeat(900) }), 500);
    expect(long?.data).toEqual({ sub: "7", name: "Ada" });
  });
});

describe("Apple's client secret", () => {
  const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const privateKey = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const options = (key: string): ProviderOptions => ({
    clientIds: ["com.example.app"],
    secret: "",
    redirectUri: null,
    url: null,
    isEmailOptional: false,
    skipsNonceCheck: false,
    signing: { teamId: "TEAM", keyId: "KEY", privateKey: key },
  });

  test("is signed for each use, with the claims Apple asks for", () => {
    const [head = "", body = "", signature = ""] = clientSecretOf(options(privateKey), clock)().split(".");
    const decode = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString());
    expect(decode(head)).toEqual({ alg: "ES256", kid: "KEY", typ: "JWT" });
    expect(decode(body)).toEqual({
      iss: "TEAM",
      sub: "com.example.app",
      aud: "https://appleid.apple.com",
      iat: 1_800_000_000,
      exp: 1_800_000_300,
    });
    const key = { key: createPublicKey(privateKey), dsaEncoding: "ieee-p1363" } as const;
    expect(verify("sha256", Buffer.from(`${head}.${body}`), key, Buffer.from(signature, "base64url"))).toBe(true);
  });

  test("takes a key whose line breaks are written out, and no other kind of key", () => {
    expect(() => clientSecretOf(options(privateKey.replaceAll("\n", "\\n")), clock)).not.toThrow();
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" });
    for (const key of ["", "nonsense", rsa.toString()]) {
      expect(() => clientSecretOf(options(key), clock)).toThrow("p8");
    }
  });
});
