import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { redact } from "./redact.ts";

const jwt =
  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.s5kPZ0hY3v0u3T2m9n1Qe8rWcX7yB4aD6fG1hJ2kL3M";
const secrets: readonly (readonly [text: string, secret: string])[] = [
  [`GET /rest/v1/places?select=*&apikey=${jwt}`, jwt],
  ["GET /realtime/v1/websocket?apikey=opaque123&vsn=1.0.0", "opaque123"],
  ["/verify?token=abc123&type=signup", "abc123"],
  ["/callback?code=4f1c-99&state=x", "4f1c-99"],
  ["/cb#access_token=aaa.bbb&refresh_token=v1xyz&expires_in=3600", "v1xyz"],
  ["/cb#access_token=aaa.bbb&refresh_token=v1xyz&expires_in=3600", "aaa.bbb"],
  ["?token_hash=pkce_9f8e", "pkce_9f8e"],
  ["Authorization: Bearer abcdef.ghijkl-_~+/==", "abcdef.ghijkl"],
  ["authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"],
  ["Cookie: sb-access=qwerty; other=zxcvb", "zxcvb"],
  ["set-cookie: session=qwerty; HttpOnly", "qwerty"],
  ["apikey: opaque123", "opaque123"],
  ['{"apikey":"opaque123"}', "opaque123"],
  ['{"headers":{"authorization":"Bearer xyz","cookie":"a=b"}}', "a=b"],
  ['{"password": "correct \\"horse\\" battery"}', "battery"],
  ['{"msg":"body was {\\"password\\":\\"hunter2\\",\\"email\\":\\"a@b.c\\"}"}', "hunter2"],
  ['{"msg":"{\\"x\\":\\"{\\\\\\"refresh_token\\\\\\":\\\\\\"deep99\\\\\\"}\\"}"}', "deep99"],
  ['{"encrypted_password":"$argon2id$v=19$m=1"}', "argon2id"],
  ["key sb_secret_N7UND0UgjKTVK_4a5b6c7d was used", "N7UND0UgjKTVK"],
  ["key sb_publishable_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH", "ACJWlzQHlZjBrEguHvfOxg"],
  [`token ${jwt} is expired`, "s5kPZ0hY3v0u3T2m9n1Qe8rWcX7yB4aD6fG1hJ2kL3M"],
  [`"${jwt.split(".").slice(0, 2).join(".")}."`, "eyJyb2xlIjoic2VydmljZV9yb2xlIn0"],
  ["postgres://postgres:s3cr3t@127.0.0.1:5432/app", "s3cr3t"],
  ["connect failed: PGPASSWORD=s3cr3t psql", "s3cr3t"],
  ["-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBg\\n-----END PRIVATE KEY-----", "MIIEvQIBADANBg"],
];

describe("A28 redact", () => {
  test.each(secrets)("A28 takes the secret out of %j", (text, secret) => {
    const clean = redact(text);
    expect(clean).not.toContain(secret);
    expect(clean).toContain("[redacted");
  });

  test.each([
    "GET /rest/v1/places?select=id,name&order=name.desc 200",
    "exited with code 1",
    '{"status":200,"code":42501,"msg":"permission denied for table secrets"}',
    "Listening on http://127.0.0.1:54321",
    "postgres://127.0.0.1:5432/app",
    '{"token":null,"next":"kept"}',
    "the token is refused, the password is wrong",
  ])("leaves %j alone", (text) => {
    expect(redact(text)).toBe(text);
  });

  test("A28 leaves JSON valid, and what stands around a secret", () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ unit: "binary" }), fc.jsonValue(), (before, secret, after) => {
        const line = JSON.stringify({ before, password: `x${secret}`, token: secret, last: 1, after });
        const clean = JSON.parse(redact(line)) as Record<string, unknown>;
        expect(clean.password).toBe("[redacted]");
        expect(clean.last).toBe(1);
      }),
    );
  });

  test("B10 takes time in proportion to the text", () => {
    // A quadratic pattern would need minutes for these; the test's own timeout is the bound.
    for (const unit of [
      '"password":"',
      "password=",
      "ey",
      "a://b:",
      "Bearer ",
      "\\",
      '\\"token',
      "-----BEGIN PRIVATE KEY-----",
    ]) {
      expect(redact(unit.repeat(20_000))).toBeTypeOf("string");
    }
  });
});
