import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ann, ben, jwtSecret, type S3App, startApp, userToken } from "./app.ts";

let app: S3App;
let s3: S3Client;

beforeAll(async () => {
  app = await startApp();
  s3 = app.client();
  await s3.send(new PutObjectCommand({ Bucket: "things", Key: "secret", Body: "of the service" }));
});
afterAll(async () => {
  s3.destroy();
  await app.stop();
});

const refusal = (name: string, status: number) =>
  expect.objectContaining({ name, $metadata: expect.objectContaining({ httpStatusCode: status }) });
const get = new GetObjectCommand({ Bucket: "things", Key: "secret" });
const codeOf = async (response: Response): Promise<string> =>
  /<Code>(.*)<\/Code>/.exec(await response.text())?.[1] ?? "";
const isThere = async (Key: string) => (await app.sql(`select from storage.objects where name = '${Key}'`)).length > 0;

/** A client whose requests are changed after they were signed. */
function tampering(change: (request: { headers: Record<string, string>; path: string; body?: unknown }) => void) {
  const client = app.client({ requestChecksumCalculation: "WHEN_REQUIRED" });
  client.middlewareStack.add(
    (next) => async (args) => {
      change(args.request as Parameters<typeof change>[0]);
      return next(args);
    },
    { step: "finalizeRequest", priority: "low", name: "tamper" },
  );
  return client;
}

describe("who signs", () => {
  test("with another secret is refused, and with a key that is none", async () => {
    const wrong = app.client({ credentials: { ...app.service, secretAccessKey: "wrong" } });
    await expect(wrong.send(get)).rejects.toThrow(refusal("SignatureDoesNotMatch", 403));
    const unknown = app.client({ credentials: { ...app.service, accessKeyId: "MSUNKNOWN" } });
    await expect(unknown.send(get)).rejects.toThrow(refusal("InvalidAccessKeyId", 403));
    const nobody = app.client({ credentials: { accessKeyId: "mainstay", secretAccessKey: app.anonKey } });
    await expect(nobody.send(get)).rejects.toThrow(refusal("InvalidAccessKeyId", 403));
  });

  test("not at all is refused in XML", async () => {
    const response = await fetch(`${app.endpoint}/things/secret`);
    expect(response.status).toBe(403);
    expect(response.headers.get("content-type")).toBe("application/xml");
    const text = await response.text();
    expect(text).toContain("<Code>AccessDenied</Code>");
    expect(text).toContain("<Resource>/things/secret</Resource>");
    expect(text).toMatch(/<RequestId>\S+<\/RequestId>/);
  });

  test("with a session that has expired, or is forged, is refused", async () => {
    const { accessKeyId, secretAccessKey } = app.service;
    const expired = userToken(ann, { exp: Math.floor(Date.now() / 1000) - 600 });
    const old = app.client({ credentials: { accessKeyId, secretAccessKey, sessionToken: expired } });
    await expect(old.send(get)).rejects.toThrow(refusal("ExpiredToken", 400));
    const forged = `${userToken(ann).slice(0, -6)}AAAAAA`;
    const other = app.client({ credentials: { accessKeyId, secretAccessKey, sessionToken: forged } });
    await expect(other.send(get)).rejects.toThrow(refusal("InvalidToken", 403));
  });

  test("long ago, or in the future, is refused", async () => {
    for (const systemClockOffset of [-1_000_000, 1_000_000]) {
      const skewed = app.client({ systemClockOffset });
      await expect(skewed.send(get)).rejects.toThrow(refusal("RequestTimeTooSkewed", 403));
    }
    await app.client({ systemClockOffset: -800_000 }).send(get);
  });
});

describe("what was signed", () => {
  test("cannot be changed: headers, path, parameters", async () => {
    const changes: Parameters<typeof tampering>[0][] = [
      (request) => {
        request.headers["x-amz-date"] = request.headers["x-amz-date"]!.replace(/.Z$/, "0Z").replace(/..Z$/, "59Z");
      },
      (request) => {
        request.path = request.path.replace("secret", "other");
      },
      (request) => {
        request.headers["x-amz-security-token"] = userToken(ben);
      },
    ];
    for (const change of changes) {
      await expect(tampering(change).send(get)).rejects.toThrow(refusal("SignatureDoesNotMatch", 403));
    }
  });

  test("has no more headers that S3 would act on", async () => {
    const client = tampering((request) => {
      request.headers["x-amz-copy-source"] = "/things/secret";
    });
    await expect(client.send(new PutObjectCommand({ Bucket: "things", Key: "stolen", Body: "" }))).rejects.toThrow(
      refusal("AccessDenied", 403),
    );
    expect(await isThere("stolen")).toBe(false);
  });

  test("cannot have another body (S08)", async () => {
    const client = tampering((request) => {
      request.body = "changes";
    });
    await expect(
      client.send(new PutObjectCommand({ Bucket: "things", Key: "changed", Body: "content" })),
    ).rejects.toThrow(refusal("XAmzContentSHA256Mismatch", 400));
    expect(await isThere("changed")).toBe(false);
  });
});

describe("presigned URLs", () => {
  test("read and write without a client", async () => {
    const put = new PutObjectCommand({ Bucket: "things", Key: "by url & more", ContentType: "text/x-url" });
    const putUrl = await getSignedUrl(s3, put, { expiresIn: 60 });
    const headers = { "content-type": "text/x-url" };
    expect((await fetch(putUrl, { method: "PUT", body: "by url", headers })).status).toBe(200);
    const getUrl = await getSignedUrl(s3, new GetObjectCommand({ Bucket: "things", Key: "by url & more" }));
    const response = await fetch(getUrl);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("by url");
  });

  test("are for one method, one object and their time", async () => {
    const url = await getSignedUrl(s3, get, { expiresIn: 60 });
    expect((await fetch(url)).status).toBe(200);
    for (const [changed, method] of [
      [url, "DELETE"],
      [url, "HEAD"],
      [url.replace("/secret", "/other"), "GET"],
      [url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"), "GET"],
      [`${url}&response-content-type=text/html`, "GET"],
    ] as const) {
      expect((await fetch(changed, { method })).status, `${method} ${changed}`).toBe(403);
    }
    const signingDate = new Date(Date.now() - 61_000);
    const old = await fetch(await getSignedUrl(s3, get, { expiresIn: 60, signingDate }));
    expect([old.status, await codeOf(old)]).toEqual([403, "AccessDenied"]);
    const early = new Date(Date.now() + 1_000_000);
    expect((await fetch(await getSignedUrl(s3, get, { expiresIn: 60, signingDate: early }))).status).toBe(403);
    const long = (await getSignedUrl(s3, get, { expiresIn: 60 })).replace("Expires=60", "Expires=700000");
    expect(await codeOf(await fetch(long))).toBe("AuthorizationQueryParametersError");
  });

  test("of a page do not run it (S04)", async () => {
    const page = { Bucket: "things", Key: "page.html" };
    await s3.send(new PutObjectCommand({ ...page, Body: "<script>1</script>", ContentType: "text/html" }));
    for (const more of [{}, { ResponseContentDisposition: "inline" }, { ResponseContentType: "text/html" }]) {
      const response = await fetch(await getSignedUrl(s3, new GetObjectCommand({ ...page, ...more })));
      expect(response.status).toBe(200);
      const type = response.headers.get("content-type") ?? "";
      const policy = response.headers.get("content-security-policy") ?? "";
      const disposition = response.headers.get("content-disposition") ?? "";
      expect(type.includes("text/html") && !policy.includes("sandbox") && !disposition.startsWith("attachment")).toBe(
        false,
      );
    }
  });
});

describe("sessions of users", () => {
  test("see what policies show, and write where they may (S14)", async () => {
    const mine = app.client({ credentials: app.session(ann) });
    const theirs = app.client({ credentials: app.session(ben) });
    const file = { Bucket: "own", Key: `${ann}/letter.txt` };
    await mine.send(new PutObjectCommand({ ...file, Body: "dear diary" }));
    expect(await (await mine.send(new GetObjectCommand(file))).Body!.transformToString()).toBe("dear diary");
    for (const Key of [file.Key, `${ann}/none.txt`]) {
      await expect(theirs.send(new GetObjectCommand({ Bucket: "own", Key }))).rejects.toThrow(
        refusal("NoSuchKey", 404),
      );
      await expect(theirs.send(new HeadObjectCommand({ Bucket: "own", Key }))).rejects.toThrow(
        refusal("NotFound", 404),
      );
    }
    await expect(theirs.send(new PutObjectCommand({ ...file, Body: "forged" }))).rejects.toThrow(
      refusal("AccessDenied", 403),
    );
    expect((await mine.send(new ListObjectsV2Command({ Bucket: "own" }))).KeyCount).toBe(1);
    expect((await theirs.send(new ListObjectsV2Command({ Bucket: "own" }))).KeyCount).toBe(0);
    await expect(theirs.send(get)).rejects.toThrow(refusal("NoSuchKey", 404));
    const [row] = await app.sql<{ owner_id: string }>(
      `select owner_id from storage.objects where name = '${file.Key}'`,
    );
    expect(row?.owner_id).toBe(ann);
  });
});

describe("access keys", () => {
  const make = async (...args: string[]) => {
    const child = promisify(execFile);
    const bin = join(import.meta.dirname, "../../packages/cli/bin/mainstay.mjs");
    const folder = app.server.project.dir;
    const env = { ...process.env, DATABASE_URL: app.databaseUrl, JWT_SECRET: jwtSecret };
    const { stdout } = await child(process.execPath, [bin, "storage", "s3-keys", ...args, "--json"], {
      cwd: folder,
      env,
    });
    return JSON.parse(stdout) as { id: string; secret: string };
  };

  test("act as they were made for, until they are revoked", { timeout: 60_000 }, async () => {
    await app.sql(
      `insert into auth.users (id, aud, role, email) values ('${ann}', 'authenticated', 'authenticated', 'ann@example.com')`,
    );
    const key = await make("create");
    const holder = app.client({ credentials: { accessKeyId: key.id, secretAccessKey: key.secret } });
    expect(await (await holder.send(get)).Body!.transformToString()).toBe("of the service");
    const ofUser = await make("create", "--user", ann);
    const user = app.client({ credentials: { accessKeyId: ofUser.id, secretAccessKey: ofUser.secret } });
    await user.send(new PutObjectCommand({ Bucket: "own", Key: `${ann}/by-key`, Body: "x" }));
    await expect(user.send(get)).rejects.toThrow(refusal("NoSuchKey", 404));
    await expect(user.send(new PutObjectCommand({ Bucket: "own", Key: `${ben}/by-key`, Body: "x" }))).rejects.toThrow(
      refusal("AccessDenied", 403),
    );
    await app.sql(`update auth.users set banned_until = now() + interval '1 hour' where id = '${ann}'`);
    await expect(user.send(get)).rejects.toThrow(refusal("InvalidAccessKeyId", 403));

    await make("revoke", key.id);
    await expect(holder.send(get)).rejects.toThrow(refusal("InvalidAccessKeyId", 403));
    const [row] = await app.sql<{ kept: string }>(
      "select encode(sealed_secret, 'escape') as kept from mainstay.s3_access_keys",
    );
    expect(row?.kept).not.toContain(ofUser.secret);
  });
});
