import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bootFiles,
  bytesType,
  create,
  endpoint,
  type FilesApp,
  head,
  metadataOf,
  type Person,
  patch,
  someBytes,
  tus,
} from "./testing.ts";

let app: FilesApp;
let ann: Person;
let bob: Person;
beforeAll(async () => {
  app = await bootFiles({
    storageFileSizeLimitBytes: 100_000,
    storageResumableUnfinishedPerOwner: 5,
    storageSweepMs: 200,
  });
  [ann, bob] = [await app.person("ann@example.com"), await app.person("bob@example.com")];
});
afterAll(() => app.stop());

const versions = async (): Promise<number> => {
  const [row] = await app.sql<{ count: string }>(
    "select count(*) from mainstay.object_versions where state = 'receiving'",
  );
  return Number(row!.count);
};
const problemOf = (answer: { status: number; body: string }) => ({ status: answer.status, ...JSON.parse(answer.body) });
const refused = (status: number, code: string, message: unknown = expect.any(String)) => ({
  status,
  statusCode: String(status),
  error: expect.any(String),
  code,
  message,
});

describe("S12: what begins an upload", () => {
  test.each([
    ["no token", { token: null }, refused(400, "AuthorizationMissing")],
    ["a bad token", { token: "x.y.z" }, refused(403, "AccessDenied")],
    ["no bucket of that name", { bucket: "nowhere" }, refused(404, "NoSuchBucket", "Bucket not found")],
    ["a name that policies forbid", { name: "forbidden/a" }, refused(403, "AccessDenied")],
    ["a file that is too large", { length: 100_001 }, refused(413, "EntityTooLarge", "Maximum size exceeded")],
    ["a file too large for the bucket", { bucket: "small", length: 1_001 }, refused(413, "EntityTooLarge")],
    ["a type the bucket does not take", { bucket: "pictures", type: "text/plain" }, refused(415, "InvalidMimeType")],
    ["another version of TUS", { headers: { "tus-resumable": "0.2.2" } }, refused(412, "TusVersion")],
    ["no version of TUS", { headers: { "tus-resumable": null } }, refused(412, "TusVersion")],
    ["no length", { headers: { "upload-length": null } }, refused(400, "InvalidRequest")],
    ["a length that is none", { headers: { "upload-length": "-1" } }, refused(400, "InvalidRequest")],
    ["no metadata", { headers: { "upload-metadata": null } }, refused(400, "InvalidRequest")],
    ["metadata that is none", { headers: { "upload-metadata": "bucketName !" } }, refused(400, "InvalidRequest")],
  ] as const)("%s is refused, and nothing is kept", async (_, wish, expected) => {
    const before = await versions();
    const { token, name, bucket, length, type, headers } = {
      token: ann.token as string | null,
      name: `ann/${randomUUID()}`,
      bucket: "files",
      length: 10,
      type: "application/octet-stream",
      headers: {},
      ...wish,
    };
    const metadata = metadataOf({ bucketName: bucket, objectName: name, contentType: type });
    const answer = await create(app.url, token, { name, length }, { "upload-metadata": metadata, ...headers });
    expect(problemOf(answer)).toEqual(expected);
    expect(answer.headers.get("tus-resumable")).toBe("1.0.0");
    expect(answer.location).toBe("");
    expect(await versions()).toBe(before);
  });

  test("an object that is there is not replaced unless that is asked for", async () => {
    const upload = (bytes: string, upsert?: string) =>
      create(
        app.url,
        ann.token,
        { name: "ann/twice", length: bytes.length },
        { ...bytesType, ...(upsert === undefined ? {} : { "x-upsert": upsert }) },
        Buffer.from(bytes),
      );
    expect((await upload("one")).status).toBe(201);
    expect(problemOf(await upload("two"))).toEqual(refused(409, "KeyAlreadyExists", "The resource already exists"));
    expect((await upload("two", "false")).status).toBe(409);
    expect((await upload("three", "true")).status).toBe(201);
    expect((await app.stored("files", "ann/twice"))?.toString()).toBe("three");
  });
});

describe("S12: what goes on with an upload", () => {
  const begun = async (bytes = someBytes(10), length = 100) => {
    const created = await create(app.url, ann.token, { name: `ann/${randomUUID()}`, length }, bytesType, bytes);
    expect(created.status).toBe(201);
    return created.location;
  };

  test("is whoever began it", async () => {
    const location = await begun();
    for (const token of [bob.token, app.serviceRoleKey, app.anonKey]) {
      expect((await patch(location, token, 10, someBytes(5))).status).toBe(404);
      expect((await tus("DELETE", location, token)).status).toBe(404);
    }
    expect((await patch(location, null, 10, someBytes(5))).status).toBe(400);
    expect((await patch(location, "x.y.z", 10, someBytes(5))).status).toBe(403);
    expect(await head(location)).toMatchObject({ status: 200, offset: 10 });
    await tus("DELETE", location, ann.token);
  });

  test("is asked for rights again, and what was refused is not written", async () => {
    const location = await begun();
    await app.sql("alter policy theirs on storage.objects with check (false)");
    try {
      expect(problemOf(await patch(location, ann.token, 10, someBytes(90)))).toEqual(refused(403, "AccessDenied"));
      expect((await tus("DELETE", location, ann.token)).status).toBe(403);
    } finally {
      await app.sql(
        "alter policy theirs on storage.objects with check (owner_id = auth.jwt() ->> 'sub' and name not like 'forbidden/%')",
      );
    }
    expect(await head(location)).toMatchObject({ offset: 10 });
    expect((await patch(location, ann.token, 10, someBytes(90))).status).toBe(204);
  });

  test("begins where the bytes end", async () => {
    const location = await begun();
    for (const offset of ["0", "9", "11", "100"]) {
      const answer = await patch(location, ann.token, 0, someBytes(5), { "upload-offset": offset });
      expect(problemOf(answer)).toEqual(refused(409, "OffsetConflict", "Upload-Offset conflict"));
    }
    for (const offset of [null, "", "-1", "ten", "99999999999999999999"]) {
      expect((await patch(location, ann.token, 0, someBytes(5), { "upload-offset": offset })).status).toBe(400);
    }
    expect(await head(location)).toMatchObject({ offset: 10 });
    await tus("DELETE", location, ann.token);
  });

  test("brings bytes that are said to be such, and no more than announced", async () => {
    const location = await begun();
    expect((await patch(location, ann.token, 10, someBytes(5), { "content-type": "text/plain" })).status).toBe(415);
    expect(problemOf(await patch(location, ann.token, 10, someBytes(91)))).toEqual(
      refused(413, "EntityTooLarge", "Maximum size exceeded"),
    );
    // In chunks nobody knows before. What belongs to the file is kept, and it is not finished by a request that is refused.
    const chunked = await fetch(location, {
      method: "PATCH",
      headers: {
        ...bytesType,
        "tus-resumable": "1.0.0",
        "upload-offset": "10",
        authorization: `Bearer ${ann.token}`,
      },
      body: new ReadableStream({
        start(controller) {
          controller.enqueue(new Uint8Array(60));
          controller.enqueue(new Uint8Array(60));
          controller.close();
        },
      }),
      duplex: "half",
    } as RequestInit);
    expect(chunked.status).toBe(413);
    expect((await head(location)).offset).toBeLessThan(100);
    await tus("DELETE", location, ann.token);
  });

  test("a length said later is no larger than the bucket allows", async () => {
    const { location } = await create(app.url, ann.token, { bucket: "small", name: `ann/${randomUUID()}` });
    expect((await patch(location, ann.token, 0, someBytes(10), { "upload-length": "1001" })).status).toBe(413);
    expect((await patch(location, ann.token, 0, someBytes(1_001))).status).toBe(413);
    expect((await patch(location, ann.token, 0, someBytes(1_000))).status).toBe(204);
    expect((await patch(location, ann.token, 1_000, someBytes(1))).status).toBe(413);
    await tus("DELETE", location, ann.token);
  });

  test("finds nothing once the object's name is somebody's", async () => {
    const location = await begun(Buffer.alloc(0));
    const name = Buffer.from(location.split("/").at(-1)!, "base64url").toString().split("/").slice(1, -1).join("/");
    const other = await create(app.url, ann.token, { name, length: 1 }, bytesType, Buffer.from("x"));
    expect(other.status).toBe(201);
    expect((await patch(location, ann.token, 0, someBytes(100))).status).toBe(409);
    expect((await app.stored("files", name))?.toString()).toBe("x");
    expect((await tus("DELETE", location, ann.token)).status).toBe(204);
  });
});

test("S12: one has so many unfinished ones, and others have theirs", async () => {
  const begin = (token: string) => create(app.url, token, { name: `many/${randomUUID()}`, length: 10 });
  const made = await Promise.all(Array.from({ length: 20 }, () => begin(ann.token)));
  const begun = made.filter(({ status }) => status === 201);
  expect(begun).toHaveLength(5);
  expect(made.filter(({ status }) => status === 429)).toHaveLength(15);
  expect(problemOf(made.find(({ status }) => status === 429)!)).toMatchObject({ code: "TooManyUploads" });
  expect((await begin(bob.token)).status).toBe(201);
  for (let at = 0; at < 7; at++) expect((await begin(app.serviceRoleKey)).status).toBe(201);
  // Ended, or finished, one does not count.
  await tus("DELETE", begun[0]!.location, ann.token);
  expect((await begin(ann.token)).status).toBe(201);
  expect((await patch(begun[1]!.location, ann.token, 0, someBytes(10))).status).toBe(204);
  expect((await begin(ann.token)).status).toBe(201);
  expect((await begin(ann.token)).status).toBe(429);
  for (const { location } of begun) await tus("DELETE", location, ann.token);
});

test("S12: one that nobody goes on with ends, and its bytes are swept", async () => {
  const { location } = await create(app.url, bob.token, { name: "bob/left", length: 10 }, bytesType, someBytes(5));
  const version = Buffer.from(location.split("/").at(-1)!, "base64url").toString().split("/").at(-1)!;
  await app.sql("update mainstay.object_versions set expires_at = now() - interval '1 second' where id = $1", [
    version,
  ]);
  expect((await head(location)).status).toBe(404);
  expect((await patch(location, bob.token, 5, someBytes(5))).status).toBe(404);
  expect((await tus("DELETE", location, bob.token)).status).toBe(404);
  const left = (table: string) => app.sql(`select from mainstay.${table} where version_id = $1`, [version]);
  await expect.poll(() => left("object_segments")).toHaveLength(0);
  await expect.poll(() => left("resumable_uploads")).toHaveLength(0);
});

describe("S01: the id of an upload", () => {
  test("is of that bucket, that key and that version, or finds nothing", async () => {
    const { location } = await create(app.url, bob.token, { name: "bob/ids", length: 10 });
    const [bucket, ...rest] = Buffer.from(location.split("/").at(-1)!, "base64url").toString().split("/");
    const version = rest.at(-1)!;
    const idOf = (text: string) => Buffer.from(text).toString("base64url");
    for (const id of [
      idOf(`drop/bob/ids/${version}`),
      idOf(`${bucket}/bob/other/${version}`),
      idOf(`${bucket}/bob/ids/${randomUUID()}`),
      idOf(`${bucket}/../bob/ids/${version}`),
      idOf(`${bucket}/bob/./ids/${version}`),
      idOf(`${bucket}/bob/ids/../ids/${version}`),
      idOf(`${bucket}/bob/ids\0/${version}`),
      idOf(`../../../etc/passwd`),
      `${version}`,
      "..%2f..%2fetc%2fpasswd",
      `${location.split("/").at(-1)}%3D`,
    ]) {
      const url = `${endpoint(app.url)}/${id}`;
      expect((await head(url)).status, id).toBe(404);
      expect((await patch(url, bob.token, 0, someBytes(10))).status, id).toBe(404);
      expect((await tus("DELETE", url, bob.token)).status, id).toBe(404);
    }
    expect(await head(location)).toMatchObject({ status: 200, offset: 0 });
  });

  test.each([
    "../a",
    "a/../b",
    "a/./b",
    "/a",
    "a\\b",
    "a\0b",
    "C:/a",
    "a\r\nb",
    "ä",
    "%2e%2e/a",
    "",
    "a".repeat(1_025),
  ])("cannot be of a file called %j", async (name) => {
    const answer = await create(app.url, bob.token, { name, length: 1 }, bytesType, Buffer.from("x"));
    expect(answer.status).toBe(400);
  });
});

describe("S04: what a file is called and what it is", () => {
  const png = Buffer.concat([
    Buffer.from("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489", "hex"),
    Buffer.alloc(6_000),
  ]);
  const text = Buffer.from("<script>alert(1)</script>".repeat(400));
  const upload = async (bytes: Buffer, cuts: readonly number[]) => {
    const name = `bob/${randomUUID()}.png`;
    const metadata = metadataOf({ bucketName: "pictures", objectName: name, contentType: "image/png" });
    const created = await create(app.url, bob.token, { name, length: bytes.length }, { "upload-metadata": metadata });
    expect(created.status).toBe(201);
    let offset = 0;
    let status = 0;
    for (const cut of [...cuts, bytes.length]) {
      status = (await patch(created.location, bob.token, offset, bytes.subarray(offset, cut))).status;
      if (status !== 204) break;
      offset = cut;
    }
    await tus("DELETE", created.location, bob.token);
    return { status, isStored: (await app.stored("pictures", name)) !== null };
  };
  const cases = [[], [1], [7], [4_000, 4_099], [4_100], [1, 2, 3, 5_000]].map((cuts) => [cuts] as const);

  test.each(cases)("is told by its first bytes, however they come: cut at %j", async (cuts) => {
    expect(await upload(png, cuts)).toEqual({ status: 204, isStored: true });
    expect(await upload(text, cuts)).toEqual({ status: 415, isStored: false });
    // Shorter than what is looked at.
    const short = cuts.filter((cut) => cut < 100);
    expect(await upload(png.subarray(0, 100), short)).toEqual({ status: 204, isStored: true });
    expect(await upload(text.subarray(0, 100), short)).toEqual({ status: 415, isStored: false });
  });

  test("is looked at in parts that are put together, too", async () => {
    const part = async (bytes: Buffer) => {
      const metadata = metadataOf({ bucketName: "pictures", objectName: "bob/parts.png", contentType: "image/png" });
      const headers = { "upload-metadata": metadata, "upload-concat": "partial" };
      const created = await create(app.url, bob.token, { name: "", length: bytes.length }, headers);
      expect((await patch(created.location, bob.token, 0, bytes)).status).toBe(204);
      return created.location;
    };
    const final = async (urls: readonly string[], name: string) =>
      (
        await tus("POST", endpoint(app.url), bob.token, {
          "upload-metadata": metadataOf({ bucketName: "pictures", objectName: name, contentType: "image/png" }),
          "upload-concat": `final;${urls.join(" ")}`,
        })
      ).status;
    const [a, b] = [await part(text.subarray(0, 3)), await part(text.subarray(3))];
    expect(await final([a, b], "bob/text.png")).toBe(415);
    expect(await app.stored("pictures", "bob/text.png")).toBeNull();
    await Promise.all([a, b].map((url) => tus("DELETE", url, bob.token)));
    const whole = [await part(png.subarray(0, 3)), await part(png.subarray(3))];
    expect(await final(whole, "bob/picture.png")).toBe(201);
    expect((await app.stored("pictures", "bob/picture.png"))?.equals(png)).toBe(true);
  });
});

describe("S03: an upload by what somebody has signed", () => {
  const sign = async (name: string, upsert = "false", token = ann.token) => {
    const answer = await fetch(`${app.url}/storage/v1/object/upload/sign/files/${name}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "x-upsert": upsert },
    });
    return ((await answer.json()) as { token: string }).token;
  };
  const begin = (name: string, signature: string | null, length = 10) =>
    tus("POST", `${endpoint(app.url)}/sign`, null, {
      "upload-metadata": metadataOf({ bucketName: "files", objectName: name }),
      "upload-length": String(length),
      "x-signature": signature,
    });
  const go = (location: string, signature: string | null, bytes: Buffer, offset = 0) =>
    patch(location, null, offset, bytes, { "x-signature": signature });

  test("goes its whole way with the signature, in the name of who signed", async () => {
    const file = someBytes(10);
    const signature = await sign("ann/signed");
    const { location, status } = await begin("ann/signed", signature);
    expect(status).toBe(201);
    expect(location).toMatch(new RegExp(`^${endpoint(app.url)}/sign/`));
    expect(await go(location, signature, file.subarray(0, 4))).toMatchObject({ status: 204, offset: 4 });
    expect(await head(location)).toMatchObject({ status: 200, offset: 4 });
    expect(await go(location, signature, file.subarray(4), 4)).toMatchObject({ status: 204, offset: 10 });
    expect((await app.stored("files", "ann/signed"))?.equals(file)).toBe(true);
    const [row] = await app.sql("select owner_id from storage.objects where name = 'ann/signed'");
    expect(row).toEqual({ owner_id: ann.id });
    // It was good for one file, and not to replace it.
    expect((await begin("ann/signed", signature)).status).toBe(409);
  });

  test("S02: is of that file and that purpose alone", async () => {
    const signature = await sign("ann/signed-2");
    expect((await begin("ann/other", signature)).status).toBe(400);
    expect((await begin("ann/signed-2", null)).status).toBe(400);
    expect((await begin("ann/signed-2", `${signature}x`)).status).toBe(400);
    await create(app.url, ann.token, { name: "ann/read", length: 1 }, bytesType, Buffer.from("x"));
    const read = await fetch(`${app.url}/storage/v1/object/sign/files/ann/read`, {
      method: "POST",
      headers: { authorization: `Bearer ${ann.token}`, "content-type": "application/json" },
      body: JSON.stringify({ expiresIn: 60 }),
    });
    const { signedURL } = (await read.json()) as { signedURL: string };
    expect((await begin("ann/read", signedURL.split("token=")[1]!)).status).toBe(400);

    const { location } = await begin("ann/signed-2", signature);
    expect((await go(location, await sign("ann/signed-3"), someBytes(10))).status).toBe(400);
    // The other entrance is for tokens, and this one for signatures.
    expect((await patch(location, ann.token, 0, someBytes(10))).status).toBe(400);
    expect((await patch(location.replace("/sign/", "/"), ann.token, 0, someBytes(10))).status).toBe(404);
    expect(await head(location)).toMatchObject({ offset: 0 });
  });

  test("ends where the signer's rights end", async () => {
    const signature = await sign("ann/lost");
    const { location } = await begin("ann/lost", signature);
    await app.sql("alter policy theirs on storage.objects with check (false)");
    try {
      expect((await go(location, signature, someBytes(10))).status).toBe(403);
    } finally {
      await app.sql(
        "alter policy theirs on storage.objects with check (owner_id = auth.jwt() ->> 'sub' and name not like 'forbidden/%')",
      );
    }
    expect(await app.stored("files", "ann/lost")).toBeNull();
  });

  test("replaces what the token says may be replaced, whatever the request says", async () => {
    await create(app.url, ann.token, { name: "ann/replaced", length: 1 }, bytesType, Buffer.from("x"));
    const headers = { "x-upsert": "true" };
    const refusing = await sign("ann/replaced-2", "false");
    await create(app.url, ann.token, { name: "ann/replaced-2", length: 1 }, bytesType, Buffer.from("x"));
    const metadata = { "upload-metadata": metadataOf({ bucketName: "files", objectName: "ann/replaced-2" }) };
    const answer = await tus("POST", `${endpoint(app.url)}/sign`, null, {
      ...metadata,
      ...headers,
      "upload-length": "1",
      "x-signature": refusing,
    });
    expect(answer.status).toBe(409);
    const signature = await sign("ann/replaced", "true");
    const { location } = await begin("ann/replaced", signature, 3);
    expect((await go(location, signature, Buffer.from("new"))).status).toBe(204);
    expect((await app.stored("files", "ann/replaced"))?.toString()).toBe("new");
  });
});

test("anybody may upload where policies let anybody", async () => {
  const upload = await create(app.url, app.anonKey, { bucket: "drop", name: `note-${randomUUID()}`, length: 5 });
  expect(upload.status).toBe(201);
  expect((await patch(upload.location, app.anonKey, 0, Buffer.from("hello"))).status).toBe(204);
});
