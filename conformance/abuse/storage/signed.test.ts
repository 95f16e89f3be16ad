import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jwtSecret } from "../app.ts";
import { annId, bobId, type FilesServer, meantStatus, people, startFiles, tusHeaders } from "./server.ts";

/** Threats S02 and S03: what a signed URL opens besides what it was signed for. */
let files: FilesServer;
const secret = "what ann alone may read";
const other = "another secret of hers";
const name = `${annId}/a.txt`;
const otherName = `${annId}/b.txt`;
let tokens: Readonly<Record<"download" | "render" | "upload" | "replace", string>>;

beforeAll(async () => {
  files = await startFiles({ storageSignedUrlMaxSeconds: 1_000 });
  await files.upload(people.ann, `own/${name}`, secret);
  await files.upload(people.ann, `own/${otherName}`, other);
  await files.upload(people.ann, `own/${annId}/A.txt`, other);
  const sign = async (path: string, json: unknown, headers = {}) => {
    const answer = await files.send("POST", path, { as: people.ann, json, headers });
    const body = JSON.parse(answer.text) as { signedURL?: string; url?: string };
    return new URL(`http://x${body.signedURL ?? body.url}`).searchParams.get("token")!;
  };
  tokens = {
    download: await sign(`/object/sign/own/${name}`, { expiresIn: 900 }),
    render: await sign(`/object/sign/own/${name}`, { expiresIn: 900, transform: { width: 10, height: 10 } }),
    upload: await sign(`/object/upload/sign/own/${annId}/new.txt`, {}),
    replace: await sign(`/object/upload/sign/own/${name}`, {}, { "x-upsert": "true" }),
  };
});
afterAll(() => files.stop());

const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString("utf8"));
/** Every route that reads or writes, with a token in the query, in the header, or where signatures go. */
const places = [
  name,
  otherName,
  `${annId}/new.txt`,
  `${annId}/A.txt`,
  `${annId.toUpperCase()}/a.txt`,
  `${name}/`,
  `${name}%2f`,
  `./${name}`,
];
const asks = (token: string): readonly (readonly [string, string, Record<string, string>?])[] => [
  ...places.flatMap((place) => [
    ["GET", `/object/sign/own/${place}?token=${token}`] as const,
    ["GET", `/render/image/sign/own/${place}?token=${token}`] as const,
    ["PUT", `/object/upload/sign/own/${place}?token=${token}`] as const,
  ]),
  ["GET", `/object/sign/OWN/${name}?token=${token}`],
  ["GET", `/object/sign/open/${name}?token=${token}`],
  ["GET", `/object/sign/own%2f${annId}/a.txt?token=${token}`],
  ["PUT", `/object/upload/sign/open/${name}?token=${token}`],
  ["GET", `/render/image/sign/own/${name}?token=${token}&width=99&height=99`],
  ["GET", `/object/sign/own/${otherName}?token=${token}&url=own/${otherName}`],
  ["GET", `/object/sign/own/${otherName}?token=x&token=${token}`],
  ["GET", `/object/sign/own/${otherName}?token[]=${token}`],
  ["GET", `/object/own/${name}?token=${token}`],
  ["GET", `/object/authenticated/own/${name}?token=${token}`],
  ["GET", `/object/authenticated/own/${name}`, { authorization: `Bearer ${token}` }],
  ["GET", `/object/own/${name}`, { authorization: `Bearer ${token}` }],
  ["GET", `/object/own/${name}`, { apikey: token, authorization: `Bearer ${token}` }],
  ["GET", `/object/public/own/${name}?token=${token}`],
  ["GET", `/object/info/own/${name}?token=${token}`],
  ["GET", `/object/info/sign/own/${name}?token=${token}`],
  ["GET", `/object/info/authenticated/own/${name}`, { authorization: `Bearer ${token}` }],
  ["GET", `/render/image/authenticated/own/${name}?token=${token}`, { authorization: `Bearer ${token}` }],
  ["POST", `/object/own/${name}?token=${token}`, { authorization: `Bearer ${token}` }],
  ["PUT", `/object/own/${name}?token=${token}`, { authorization: `Bearer ${token}` }],
  ["DELETE", `/object/own/${name}?token=${token}`, { authorization: `Bearer ${token}` }],
  ["DELETE", `/object/sign/own/${name}?token=${token}`],
  ["POST", `/object/sign/own/${name}?token=${token}`, { authorization: `Bearer ${token}` }],
  ["POST", `/object/sign/own/${otherName}`, { authorization: `Bearer ${token}` }],
  ["POST", `/object/upload/sign/own/${name}?token=${token}`, { authorization: `Bearer ${token}` }],
  ["POST", `/object/list/own`, { authorization: `Bearer ${token}` }],
  ["GET", "/bucket", { authorization: `Bearer ${token}` }],
  ["POST", "/upload/resumable", { ...tusCreation(name), authorization: `Bearer ${token}` }],
  ["POST", "/upload/resumable", { ...tusCreation(name), "x-signature": token }],
  ...[name, otherName, `${annId}/new.txt`, `${bobId}/a.txt`].map(
    (place) => ["POST", "/upload/resumable/sign", { ...tusCreation(place), "x-signature": token }] as const,
  ),
  ["GET", `/s3/own/${name}?token=${token}`],
  ["GET", `/s3/own/${name}`, { authorization: `Bearer ${token}` }],
];
const tusCreation = (place: string): Record<string, string> => ({
  "tus-resumable": "1.0.0",
  "upload-length": "4",
  "content-type": "application/offset+octet-stream",
  "upload-metadata": `bucketName ${Buffer.from("own").toString("base64")},objectName ${Buffer.from(place).toString("base64")}`,
});
const isJson = (path: string): boolean => /^\/object\/(?:upload\/)?(?:sign|list)/.test(path);
const run = ([method, path, headers = {}]: readonly [string, string, Record<string, string>?]) =>
  files.send(method, path, {
    as: null,
    headers,
    ...(method === "GET" || method === "DELETE"
      ? {}
      : isJson(path) && method === "POST"
        ? { json: { expiresIn: 9, prefix: "" } }
        : { body: "evil" }),
  });

describe("S02 a signed URL is good for what it was signed for", () => {
  const goodFor: Readonly<Record<keyof typeof tokens, (ask: readonly [string, string, ...unknown[]]) => boolean>> = {
    download: ([method, path]) => method === "GET" && path.startsWith(`/object/sign/own/${name}?`),
    render: ([method, path]) => method === "GET" && path.startsWith(`/render/image/sign/own/${name}?`),
    upload: ([method, path, headers]) =>
      (method === "PUT" && path.startsWith(`/object/upload/sign/own/${annId}/new.txt?`)) ||
      isSignedTus(path, headers, `${annId}/new.txt`),
    replace: ([method, path, headers]) =>
      (method === "PUT" && path.startsWith(`/object/upload/sign/own/${name}?`)) || isSignedTus(path, headers, name),
  };
  const isSignedTus = (path: string, headers: unknown, place: string): boolean =>
    path === "/upload/resumable/sign" &&
    (headers as Record<string, string>)["upload-metadata"]!.endsWith(Buffer.from(place).toString("base64"));

  test.each(["download", "render", "upload", "replace"] as const)(
    "S02 %s: at every route, for every name",
    async (kind) => {
      const before = await files.snapshot();
      for (const ask of asks(tokens[kind])) {
        if (goodFor[kind](ask)) continue;
        const answer = await run(ask);
        const label = `${kind} at ${ask[0]} ${ask[1].slice(0, 90)} ${JSON.stringify(ask[2] ?? {}).slice(0, 60)}`;
        const isList = ask[1] === "/bucket" || ask[1].startsWith("/object/list");
        if (isList)
          expect.soft(["[]", ""].includes(answer.text) || answer.status >= 400, `${label}: ${answer.text}`).toBe(true);
        else expect.soft(meantStatus(answer), `${label}: ${answer.text}`).toBeGreaterThanOrEqual(400);
        expect.soft(answer.status, label).toBeLessThan(500);
        expect.soft(answer.text, label).not.toMatch(/what ann alone|another secret/);
      }
      await expect.poll(() => files.snapshot()).toEqual(before);
    },
  );

  test("S02 changed in any way it is none", async () => {
    const [head = "", body = "", signature = ""] = tokens.download.split(".");
    const claims = claimsOf(tokens.download);
    const hs = (header: unknown, payload: unknown, key: string | Buffer): string => {
      const text = `${b64(header)}.${b64(payload)}`;
      return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
    };
    const header = JSON.parse(Buffer.from(head, "base64url").toString("utf8"));
    const forged: Readonly<Record<string, string>> = {
      "another file": `${head}.${b64({ ...claims, url: `own/${otherName}` })}.${signature}`,
      "longer life": `${head}.${b64({ ...claims, exp: 9_999_999_999 })}.${signature}`,
      "alg none": `${b64({ ...header, alg: "none" })}.${body}.`,
      "alg none with signature": `${b64({ ...header, alg: "none" })}.${body}.${signature}`,
      "no signature": `${head}.${body}.`,
      "the server's secret": hs(header, claims, jwtSecret),
      "the server's secret, as sessions": hs({ alg: "HS256", typ: "JWT" }, claims, jwtSecret),
      "the anon key": hs(header, claims, files.anonKey),
      "an empty key": hs(header, claims, ""),
      "another key's name": `${b64({ ...header, kid: "storage-url:other" })}.${body}.${signature}`,
      "kid a path": `${b64({ ...header, kid: "storage-url:../../dev/null" })}.${body}.${signature}`,
      "kid __proto__": `${b64({ ...header, kid: "storage-url:__proto__" })}.${body}.${signature}`,
      "no kid": `${b64({ alg: "HS256" })}.${body}.${signature}`,
      "kid a list": `${b64({ ...header, kid: [header.kid] })}.${body}.${signature}`,
      "four parts": `${tokens.download}.x`,
      "two parts": `${head}.${body}`,
      padding: `${tokens.download}==`,
      "a session": people.ann,
      "the service's key": files.serviceRoleKey,
      nothing: "",
      dots: "..",
      long: `${head}.${body}.${"A".repeat(14_000)}`,
    };
    for (const [what, token] of Object.entries(forged)) {
      const answer = await files.send("GET", `/object/sign/own/${name}?token=${token}`, { as: null });
      expect.soft([what, answer.status], answer.text).toEqual([what, 400]);
      expect.soft(answer.text, what).toMatch(/InvalidJWT|InvalidSignature|MissingParameter/);
    }
    for (let bit = 0; bit < signature.length * 6; bit += 7) {
      const bytes = Buffer.from(signature, "base64url");
      const at = (bit >> 3) % bytes.length;
      bytes[at]! ^= 1 << (bit & 7);
      const answer = await files.send(
        "GET",
        `/object/sign/own/${name}?token=${head}.${body}.${bytes.toString("base64url")}`,
        { as: null },
      );
      expect(answer.status).toBe(400);
    }
  });

  test("S02 it lives no longer than was asked for and than links may", async () => {
    for (const expiresIn of [1_001, 315_360_001, 1e300, -1, 0, 1.5, "1e9", "0x10", null, [60], { valueOf: 60 }, true]) {
      const answer = await files.send("POST", `/object/sign/own/${name}`, { as: people.ann, json: { expiresIn } });
      expect.soft(answer.status, JSON.stringify(expiresIn)).toBe(400);
    }
    const answer = await files.send("POST", `/object/sign/own/${name}`, { as: people.ann, json: { expiresIn: 1 } });
    const { signedURL } = JSON.parse(answer.text) as { signedURL: string };
    const { exp } = claimsOf(signedURL.split("token=")[1]!) as { exp: number };
    // Time is the subject.
    while (Date.now() < exp * 1000 + 10) await new Promise((resolve) => setTimeout(resolve, 20));
    const late = await files.send("GET", signedURL, { as: null });
    expect([late.status, late.text]).toEqual([400, expect.stringContaining("InvalidJWT")]);
  });

  test("S02 extra parameters change how it is saved and nothing else", async () => {
    for (const more of [
      "&download=x.txt",
      "&width=1",
      "&cacheNonce=1",
      "&x-upsert=true",
      "&url=own/b",
      "&transform[width]=9",
      "#x",
    ]) {
      const answer = await files.send(
        "GET",
        `/object/sign/own/${name}?token=${tokens.download}${more.replace("#", "%23")}`,
        { as: null },
      );
      if (more === "#x") expect(answer.status).toBe(400);
      else expect([more, answer.status, answer.text]).toEqual([more, 200, secret]);
    }
  });
});

describe("S03 an upload link is its signer's", () => {
  const link = async (place: string, upsert = "false") => {
    const answer = await files.send("POST", `/object/upload/sign/own/${place}`, {
      as: people.ann,
      json: {},
      headers: { "x-upsert": upsert },
    });
    return (JSON.parse(answer.text) as { token: string }).token;
  };

  test("S03 what the signer may do no longer, the link does no longer: plain and resumable", async () => {
    const place = `${annId}/late.txt`;
    const token = await link(place);
    const begun = await files.send("POST", "/upload/resumable/sign", {
      as: null,
      headers: { ...tusCreation(`${annId}/late.txt`), "content-type": "text/plain", "x-signature": token },
    });
    expect(begun.status).toBe(201);
    const location = new URL(begun.headers.location!).pathname.replace("/storage/v1", "");
    await files.sql(`create policy "ann is out" on storage.objects as restrictive for all to authenticated
      using (auth.uid() <> '${annId}') with check (auth.uid() <> '${annId}')`);
    const before = await files.snapshot();
    try {
      const plain = await files.send("PUT", `/object/upload/sign/own/${place}?token=${token}`, { as: null, body: "x" });
      expect([plain.status, meantStatus(plain)]).toEqual([400, 403]);
      // The holder's own rights, however great, change nothing of that.
      const asService = await files.send("PUT", `/object/upload/sign/own/${place}?token=${token}`, { body: "x" });
      expect(meantStatus(asService)).toBe(403);
      const part = await files.send("PATCH", location, {
        as: null,
        body: "1234",
        headers: { ...tusHeaders(0), "x-signature": token },
      });
      expect(part.status).toBe(403);
    } finally {
      await files.sql(`drop policy "ann is out" on storage.objects`);
    }
    await expect.poll(() => files.snapshot()).toEqual(before);
  });

  test("S03 who signs without the right signs nothing, and nobody signs for another", async () => {
    for (const as of [people.bob, files.anonKey, null]) {
      const answer = await files.send("POST", `/object/upload/sign/own/${annId}/x.txt`, { as, json: {} });
      expect.soft(meantStatus(answer)).toBeGreaterThanOrEqual(400);
      expect(answer.text).not.toContain("token=");
    }
    const own = await link(`${annId}/own.txt`);
    const done = await files.send("PUT", `/object/upload/sign/own/${annId}/own.txt?token=${own}`, {
      as: people.bob,
      body: "by bob's hand",
    });
    expect(done.status).toBe(200);
    const [row] = await files.sql<{ owner_id: string }>(
      `select owner_id from storage.objects where name = '${annId}/own.txt'`,
    );
    expect(row?.owner_id).toBe(annId);
  });

  test("S02 a link that replaces nothing works once, whatever the header says, fifty at once", async () => {
    const token = await link(`${annId}/once.txt`);
    const put = (at: number) =>
      files.send("PUT", `/object/upload/sign/own/${annId}/once.txt?token=${token}`, {
        as: null,
        body: `${at}`,
        headers: { "x-upsert": "true" },
      });
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => put(at)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter((answer) => meantStatus(answer) === 409)).toHaveLength(49);
    expect(await files.leaks()).toEqual([]);
    expect(files.failures()).toEqual([]);
  });
});
