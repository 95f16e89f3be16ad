import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mint } from "../app.ts";
import {
  apiError,
  ok,
  type Person,
  png,
  refusals,
  type StorageApp,
  startStorageApp,
  textOf,
  told,
} from "./storage-app.ts";

let app: StorageApp;
let ann: Person;
let ben: Person;
beforeAll(async () => {
  app = await startStorageApp();
  [ann, ben] = [app.person(), app.person()];
  for (const name of ["a.txt", "b.txt"])
    ok(await files().upload(path(name), `this is ${name}`, { cacheControl: "3600" }));
});
afterAll(() => app.stop());

const files = () => ann.storage.from("documents");
const path = (name: string): string => `${ann.id}/${name}`;
const noAccess = "Either the object does not exist or you do not have access to it";
/** What a link answers whoever has it. */
const open = async (url: string, init?: RequestInit) => {
  const response = await fetch(url, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
};
const tokenOf = (url: string): string => new URL(url).searchParams.get("token") ?? "";
const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

describe("createSignedUrl", () => {
  it("reads that file, for whoever has it, until it ends", async () => {
    const { signedUrl } = ok(await files().createSignedUrl(path("a.txt"), 60));
    expect(signedUrl.startsWith(`${app.url}/storage/v1/object/sign/documents/${path("a.txt")}?token=`)).toBe(true);
    const { status, headers, text } = await open(signedUrl);
    expect([status, text]).toEqual([200, "this is a.txt"]);
    const { exp, iat, url } = claimsOf(tokenOf(signedUrl)) as { exp: number; iat: number; url: string };
    expect([exp - iat, url]).toEqual([60, `documents/${path("a.txt")}`]);
    expect(headers.get("expires")).toBe(new Date(exp * 1000).toUTCString());
    // No copy outlives the link.
    const age = Number(/max-age=(\d+)/.exec(headers.get("cache-control") ?? "")?.[1]);
    expect(age).toBeLessThanOrEqual(60);
    expect(headers.get("cache-control")).toMatch(/^private/);
    expect((await open(signedUrl, { method: "HEAD" })).headers.get("content-length")).toBe("13");
    expect((await open(signedUrl, { headers: { Range: "bytes=8-" } })).text).toBe("a.txt");
  });

  it.each([
    [true, "attachment;"],
    ["my letter.txt", `attachment; filename="my letter.txt"; filename*=UTF-8''my%20letter.txt`],
  ] as const)("to be saved: %s", async (download, disposition) => {
    const { signedUrl } = ok(await files().createSignedUrl(path("a.txt"), 60, { download, cacheNonce: "1" }));
    const { status, headers } = await open(signedUrl);
    expect([status, headers.get("content-disposition")]).toEqual([200, disposition]);
  });

  it("a transform leads to the pictures, and an empty one does not", async () => {
    ok(await files().upload(path("dot.png"), png, { contentType: "image/png", upsert: true }));
    const transform = { width: 20, height: 10, resize: "contain", quality: 60 } as const;
    const { signedUrl } = ok(await files().createSignedUrl(path("dot.png"), 60, { transform }));
    expect(new URL(signedUrl).pathname).toBe(`/storage/v1/render/image/sign/documents/${path("dot.png")}`);
    // Not good for the picture itself, nor a link to that for others.
    const original = signedUrl.replace("/render/image/sign/", "/object/sign/");
    expect((await open(original)).status).toBe(400);
    const plain = ok(await files().createSignedUrl(path("dot.png"), 60, { transform: {} })).signedUrl;
    expect((await open(plain)).status).toBe(200);
  });

  it("only what is there and theirs to read", async () => {
    expect(told(await files().createSignedUrl(path("other"), 60))).toEqual(refusals.noObject);
    expect(told(await ben.storage.from("documents").createSignedUrl(path("a.txt"), 60))).toEqual(refusals.noObject);
    expect(told(await app.nobody.from("documents").createSignedUrl(path("a.txt"), 60))).toEqual(refusals.noObject);
  });

  it.each([0, -1, 1.5, Number.NaN, 315_360_001])("not for %d seconds", async (seconds) => {
    expect(told(await files().createSignedUrl(path("a.txt"), seconds))).toMatchObject({
      status: 400,
      statusCode: "400",
    });
  });

  it("S02: is good for nothing else", async () => {
    const { signedUrl } = ok(await files().createSignedUrl(path("a.txt"), 60));
    const invalid = {
      statusCode: "400",
      error: expect.any(String),
      message: expect.any(String),
      code: expect.stringMatching(/^Invalid(JWT|Signature)$/),
    };
    for (const url of [
      signedUrl.replace("a.txt", "b.txt"),
      signedUrl.replace("a.txt", "A.txt"),
      signedUrl.replace("/documents/", "/archive/"),
      `${signedUrl}x`,
      signedUrl.replace(
        /token=.*/,
        `token=${mint({ url: `documents/${path("a.txt")}`, scope: "download", sub: ann.id })}`,
      ),
      signedUrl.replace(/token=.*/, `token=${ann.token}`),
    ]) {
      const { status, text } = await open(url);
      expect([status, JSON.parse(text)]).toEqual([400, invalid]);
    }
    const put = await open(signedUrl.replace("/object/sign/", "/object/upload/sign/"), {
      method: "PUT",
      body: "stolen",
    });
    expect([put.status, JSON.parse(put.text)]).toEqual([400, invalid]);
    expect((await open(signedUrl.replace(/\?.*/, ""))).status).toBe(400);
    // Nor is it a session.
    const asToken = { headers: { Authorization: `Bearer ${tokenOf(signedUrl)}` } };
    expect((await open(`${app.url}/storage/v1/object/authenticated/documents/${path("a.txt")}`, asToken)).status).toBe(
      400,
    );
    expect(await textOf(ok(await files().download(path("a.txt"))))).toBe("this is a.txt");
  });

  it("what is deleted is gone for who has a link, too", async () => {
    ok(await files().upload(path("short.txt"), "short"));
    const { signedUrl } = ok(await files().createSignedUrl(path("short.txt"), 60));
    ok(await files().remove([path("short.txt")]));
    expect(JSON.parse((await open(signedUrl)).text)).toMatchObject({ statusCode: "404", error: "not_found" });
  });
});

describe("createSignedUrls", () => {
  it("in their order, each with its own answer", async () => {
    const paths = [path("b.txt"), path("missing"), `${ben.id}/hers`, path("a.txt"), path("b.txt")];
    const signed = ok(await files().createSignedUrls(paths, 60));
    expect(signed.map(({ path, error }) => [path, error])).toEqual([
      [paths[0], null],
      [paths[1], noAccess],
      [paths[2], noAccess],
      [paths[3], null],
      [paths[4], null],
    ]);
    expect(signed.map(({ signedUrl, signedURL }) => [signedUrl === null, signedURL === null])).toEqual(
      [false, true, true, false, false].map((isNull) => [isNull, isNull]),
    );
    expect((await open(signed[0]?.signedUrl ?? "")).text).toBe("this is b.txt");
    expect((await open(signed[3]?.signedUrl ?? "")).text).toBe("this is a.txt");
  });

  it("to be saved", async () => {
    const [signed] = ok(await files().createSignedUrls([path("a.txt")], 60, { download: "x.txt" }));
    const { headers } = await open(signed?.signedUrl ?? "");
    expect(headers.get("content-disposition")).toBe(`attachment; filename="x.txt"; filename*=UTF-8''x.txt`);
  });

  it("none, and too many, are refused", async () => {
    expect(told(await files().createSignedUrls([], 60))).toMatchObject({ statusCode: "400" });
    expect(told(await files().createSignedUrls(Array(1_001).fill("a"), 60))).toMatchObject({ statusCode: "400" });
  });
});

const formOf = (): FormData => {
  const form = new FormData();
  form.append("file", new Blob(["body"]));
  return form;
};
const bodies: readonly [what: string, body: () => Blob | FormData | Buffer | ReadableStream<Uint8Array> | string][] = [
  ["Blob", () => new Blob(["body"])],
  ["FormData", formOf],
  ["Buffer", () => Buffer.from("body")],
  ["ReadableStream", () => new Blob(["body"]).stream()],
  ["string", () => "body"],
];

describe("createSignedUploadUrl and uploadToSignedUrl", () => {
  const fresh = (): string => path(`signed/${randomUUID()}.txt`);

  it("who has it uploads in the name of who signed, once", async () => {
    const to = fresh();
    const signed = ok(await files().createSignedUploadUrl(to));
    expect(signed).toEqual({
      path: to,
      token: expect.any(String),
      signedUrl: expect.stringContaining("/object/upload/sign/"),
    });
    const nobody = app.nobody.from("documents");
    const options = { contentType: "text/csv", cacheControl: "5", metadata: { by: "link" } };
    expect(ok(await nobody.uploadToSignedUrl(to, signed.token, "by link", options))).toEqual({
      path: to,
      fullPath: `documents/${to}`,
    });
    expect(ok(await files().info(to))).toMatchObject({
      contentType: "text/csv",
      cacheControl: "max-age=5",
      metadata: { by: "link" },
    });
    expect(await app.sql(`select owner_id from storage.objects where name = '${to}'`)).toEqual([{ owner_id: ann.id }]);
    expect(told(await nobody.uploadToSignedUrl(to, signed.token, "again"))).toEqual(refusals.taken);
    // What it replaces, the token decides and not who has it.
    expect(told(await nobody.uploadToSignedUrl(to, signed.token, "again", { upsert: true }))).toEqual(refusals.taken);
    expect(await textOf(ok(await files().download(to)))).toBe("by link");
  });

  it.each(bodies)("a %s", async (_, body) => {
    const to: string = fresh();
    const { token } = ok(await files().createSignedUploadUrl(to));
    ok(await app.nobody.from("documents").uploadToSignedUrl(to, token, body()));
    expect(await textOf(ok(await files().download(to)))).toBe("body");
  });

  it("with upsert it replaces, as often as it lives", async () => {
    const to = fresh();
    const { token } = ok(await files().createSignedUploadUrl(to, { upsert: true }));
    for (const text of ["one", "two"]) {
      ok(await app.nobody.from("documents").uploadToSignedUrl(to, token, text));
      expect(await textOf(ok(await files().download(to)))).toBe(text);
    }
  });

  it("only who may upload there may sign", async () => {
    expect(told(await ben.storage.from("documents").createSignedUploadUrl(fresh()))).toEqual(refusals.denied);
    expect(told(await app.nobody.from("documents").createSignedUploadUrl(fresh()))).toEqual(refusals.denied);
    expect(told(await files().createSignedUploadUrl(path("a.txt")))).toEqual(refusals.taken);
    ok(await files().createSignedUploadUrl(path("a.txt"), { upsert: true }));
    expect(told(await ann.storage.from("nowhere").createSignedUploadUrl("a"))).toEqual(refusals.noBucket);
    expect(told(await files().createSignedUploadUrl(path("ü")))).toMatchObject({ code: "InvalidKey" });
  });

  it("S02: for that name, and for uploading alone", async () => {
    const to = fresh();
    const { token, signedUrl } = ok(await files().createSignedUploadUrl(to));
    const nobody = app.nobody.from("documents");
    const invalid = apiError(
      "400",
      expect.stringMatching(/^Invalid(JWT|Signature)$/) as unknown as string,
      expect.any(String),
    );
    expect(told(await nobody.uploadToSignedUrl(fresh(), token, "elsewhere"))).toEqual(invalid);
    expect(told(await nobody.uploadToSignedUrl(to, "no.token.this", "x"))).toEqual(invalid);
    expect((await open(signedUrl.replace("/object/upload/sign/", "/object/sign/"))).status).toBe(400);
    ok(await nobody.uploadToSignedUrl(to, token, "here"));
    expect((await open(signedUrl.replace("/object/upload/sign/", "/object/sign/"))).status).toBe(400);
  });

  it("S03: the policies are asked again when it is used", async () => {
    const admin = app.person({ app_metadata: { role: "admin" } });
    const { token } = ok(await admin.storage.from("reports").createSignedUploadUrl("q1.pdf"));
    await app.sql(`alter policy "Admins do all with reports" on storage.objects using (false)`);
    expect(told(await app.nobody.from("reports").uploadToSignedUrl("q1.pdf", token, "x"))).toEqual(refusals.denied);
    expect(ok(await app.service.from("reports").list())).toEqual([]);
  });
});
