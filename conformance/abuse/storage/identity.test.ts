import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { forgedTokens } from "../auth/forgeries.ts";
import { googleAt, type Issuer, openIssuer } from "../auth/issuer.ts";
import { type AuthServer, type Person, startAuth } from "../auth/server.ts";
import { runMainstay } from "../command.ts";
import { type Answer, type Ask, exchange } from "./http.ts";
import { signed } from "./s3-request.ts";
import { meantStatus, tusHeaders } from "./server.ts";

/** Threats A03, A04 and B07 at every entrance of storage. */
const jwtSecret = "a shared secret of the days before asymmetric keys, 64 bytes long";
let issuer: Issuer;
let app: AuthServer;
let person: Person;
let upload: string;
beforeAll(async () => {
  issuer = await openIssuer();
  app = await startAuth({
    identity: { jwtSecret, jwtAlgorithm: "ES256", jwtLeewaySeconds: 0 },
    auth: { ...googleAt(issuer), mailerAutoconfirm: true },
  });
  await app.sql(`insert into storage.buckets (id, name) values ('own', 'own');
    create policy "own" on storage.objects for all to authenticated using (owner_id = auth.uid()::text) with check (true);
    create policy "service too" on storage.objects for all to service_role using (true) with check (true)`);
  person = await app.newPerson();
  const put = await ask("PUT", "/object/own/mine.txt", person.token, { body: "mine" });
  expect([put.status, put.text]).toEqual([200, expect.stringContaining("mine.txt")]);
  const begun = await ask("POST", "/upload/resumable", person.token, { headers: creation("film") });
  upload = new URL(begun.headers.location!).pathname.replace("/storage/v1", "");
});
afterAll(async () => {
  await app.stop();
  await issuer.close();
});

const creation = (name: string): Record<string, string> => ({
  "tus-resumable": "1.0.0",
  "upload-length": "4",
  "upload-metadata": `bucketName ${Buffer.from("own").toString("base64")},objectName ${Buffer.from(name).toString("base64")}`,
});
const ask = (method: string, path: string, token: string, more: Partial<Ask> = {}): Promise<Answer> =>
  exchange(app.url, {
    method,
    target: `/storage/v1${path}`,
    ...more,
    headers: { authorization: `Bearer ${token}`, ...more.headers },
  });
const json = { headers: { "content-type": "application/json" } };
const entrances: Readonly<Record<string, (token: string) => Promise<Answer>>> = {
  GET: (token) => ask("GET", "/object/own/mine.txt", token),
  "GET authenticated": (token) => ask("GET", "/object/authenticated/own/mine.txt", token),
  "as key": (token) => ask("GET", "/object/authenticated/own/mine.txt", token, { headers: { apikey: token } }),
  "behind a good key": (token) =>
    ask("GET", "/object/authenticated/own/mine.txt", token, { headers: { apikey: app.anonKey } }),
  info: (token) => ask("GET", "/object/info/authenticated/own/mine.txt", token),
  POST: (token) => ask("POST", "/object/own/forged.txt", token, { body: "x" }),
  PUT: (token) => ask("PUT", "/object/own/mine.txt", token, { body: "x" }),
  DELETE: (token) => ask("DELETE", "/object/own/mine.txt", token),
  list: (token) => ask("POST", "/object/list/own", token, { ...json, body: '{"prefix":""}' }),
  sign: (token) => ask("POST", "/object/sign/own/mine.txt", token, { ...json, body: '{"expiresIn":60}' }),
  "sign an upload": (token) => ask("POST", "/object/upload/sign/own/x.txt", token),
  move: (token) =>
    ask("POST", "/object/move", token, {
      ...json,
      body: '{"bucketId":"own","sourceKey":"mine.txt","destinationKey":"b"}',
    }),
  copy: (token) =>
    ask("POST", "/object/copy", token, {
      ...json,
      body: '{"bucketId":"own","sourceKey":"mine.txt","destinationKey":"b"}',
    }),
  buckets: (token) => ask("GET", "/bucket", token),
  render: (token) => ask("GET", "/render/image/authenticated/own/mine.txt?width=1", token),
  "TUS create": (token) => ask("POST", "/upload/resumable", token, { headers: creation("forged") }),
  "TUS PATCH": (token) => ask("PATCH", upload, token, { headers: tusHeaders(0), body: "1234" }),
  "TUS DELETE": (token) => ask("DELETE", upload, token, { headers: tusHeaders(0) }),
  "TUS by signature": (token) =>
    ask("POST", "/upload/resumable/sign", token, { headers: { ...creation("forged"), "x-signature": token } }),
  "signed URL": (token) => ask("GET", `/object/sign/own/mine.txt?token=${encodeURIComponent(token)}`, ""),
  "signed upload": (token) =>
    ask("PUT", `/object/upload/sign/own/x.txt?token=${encodeURIComponent(token)}`, "", { body: "x" }),
  "S3 GET": (token) => s3("GET", "/own/mine.txt", token),
  "S3 PUT": (token) => s3("PUT", "/own/forged", token, "x"),
  "S3 list": (token) => s3("GET", "/own?list-type=2", token),
};
const s3 = (method: string, path: string, sessionToken: string, body?: string): Promise<Answer> =>
  exchange(
    app.url,
    signed({ method, target: `/storage/v1/s3${path}`, body }, new URL(app.url).host, {
      id: "mainstay",
      secret: app.anonKey,
      sessionToken,
    }),
  );
const state = () =>
  app.sql(`select (select jsonb_agg(to_jsonb(o) order by name) from storage.objects o) as objects,
    (select jsonb_agg(v.id order by id) from mainstay.object_versions v) as versions`);

describe("A03 forged tokens", () => {
  test("A03 are nobody's at every entrance, and change nothing", async () => {
    const forged = await forgedTokens({ server: app, person, jwtSecret, issuer });
    expect(Object.keys(forged).length).toBeGreaterThanOrEqual(40);
    const before = await state();
    for (const [what, token] of Object.entries(forged)) {
      // What no header can carry is no threat there.
      if (/[^\x21-\x7e]/.test(token)) continue;
      for (const [name, enter] of Object.entries(entrances)) {
        const answer = await enter(token);
        const label = `${what} at ${name}: ${answer.status} ${answer.text.slice(0, 120)}`;
        expect.soft(meantStatus(answer), label).toBeGreaterThanOrEqual(400);
        expect.soft(meantStatus(answer), label).toBeLessThan(500);
        const last = token.split(".").at(-1)!;
        if (last.length > 8) expect.soft(answer.text, label).not.toContain(last);
      }
    }
    expect(await state()).toEqual(before);
    expect((await entrances.GET!(person.token)).text).toBe("mine");
    expect((await entrances["S3 GET"]!(person.token)).text).toBe("mine");
  });

  test("A03 of S3: whoever signs with something else, or not all that counts, is nobody", async () => {
    const good = { id: "mainstay", secret: app.anonKey, sessionToken: person.token };
    const { host } = new URL(app.url);
    const target = "/storage/v1/s3/own/mine.txt";
    const right = signed({ method: "GET", target }, host, good);
    const tampered: readonly Ask[] = [
      signed({ method: "GET", target }, host, { ...good, secret: "x" }),
      signed({ method: "GET", target }, host, { ...good, secret: "" }),
      signed({ method: "GET", target }, host, { ...good, id: "other" }),
      signed({ method: "GET", target }, host, { id: "mainstay", secret: app.anonKey }),
      { ...right, target: "/storage/v1/s3/own/other.txt" },
      { ...right, target: `${target}?versions` },
      { ...right, method: "DELETE" },
      { ...right, headers: { ...right.headers, "x-amz-security-token": app.serviceRoleKey } },
      { ...right, headers: { ...right.headers, "x-amz-copy-source": "/own/mine.txt" }, method: "PUT" },
      { ...right, headers: { ...right.headers, "x-amz-date": "20200101T000000Z" } },
      { ...right, headers: { ...right.headers, "x-amz-meta-unsigned": "x", "x-amz-acl": "public-read" } },
      {
        ...right,
        headers: {
          ...right.headers,
          authorization: right.headers!.authorization!.replace(/.$/, (last) => (last === "0" ? "1" : "0")),
        },
      },
      { ...right, headers: { ...right.headers, authorization: `Bearer ${person.token}` } },
      {
        ...right,
        headers: {
          ...right.headers,
          authorization: right.headers!.authorization!.replace(";x-amz-security-token", ""),
        },
      },
    ];
    for (const [at, request] of tampered.entries()) {
      const answer = await exchange(app.url, request);
      expect.soft(answer.status, `${at}: ${answer.text}`).toBeGreaterThanOrEqual(400);
      expect.soft(answer.text, String(at)).not.toContain("mine\n");
    }
    expect((await exchange(app.url, right)).text).toBe("mine");
  });
});

describe("A04 keys that were replaced", () => {
  test("A04 S02 tokens, sessions over S3 and signed URLs of a revoked key end", async () => {
    const link = JSON.parse((await entrances.sign!(person.token)).text) as { signedURL: string };
    const follow = () => exchange(app.url, { method: "GET", target: `/storage/v1${link.signedURL}` });
    expect((await follow()).text).toBe("mine");
    const { dir, dataDir } = app.server.project;
    const run = runMainstay(["keys", "rotate", "--yes", "--revoke"], dir, {
      MAINSTAY_DATA_DIR: dataDir,
      JWT_SECRET: jwtSecret,
      MAINSTAY_JWT_ALGORITHM: "ES256",
    });
    expect(await run.ended, run.output()).toBe(0);
    await expect.poll(async () => (await entrances["GET authenticated"]!(person.token)).status).toBe(400);
    await expect.poll(async () => (await follow()).status).toBe(400);
    for (const [name, enter] of Object.entries(entrances)) {
      const answer = await enter(person.token);
      expect.soft(meantStatus(answer), `${name}: ${answer.text}`).toBeGreaterThanOrEqual(400);
    }
  });
});
