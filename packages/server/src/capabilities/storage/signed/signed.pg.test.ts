import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStorageApp, type StorageApp } from "../objects/app.testing.ts";

let storage: StorageApp;
beforeAll(async () => {
  storage = await openStorageApp({
    sql: `
      create table public.members (id text primary key);
      grant select on public.members to authenticated;
      insert into storage.buckets (id, name, public) values ('own', 'own', false), ('other', 'other', false);
      create policy own_all on storage.objects for all to authenticated
        using (bucket_id in ('own', 'other') and (storage.foldername(name))[1] = (auth.jwt() ->> 'sub'))
        with check (bucket_id in ('own', 'other') and (storage.foldername(name))[1] = (auth.jwt() ->> 'sub')
          and not exists (select from public.members m where m.id = (auth.jwt() ->> 'sub')));`,
    settings: { storage: { storageSignedUrlMaxSeconds: 1_000 } },
  });
});
afterAll(() => storage.stop());

const mine = async (content = "secret", name = `${storage.ann.id}/${randomUUID()}.txt`) => {
  expect((await storage.send("POST", `/object/own/${name}`, { raw: content, key: storage.ann.token })).status).toBe(
    200,
  );
  return name;
};
const signed = async (name: string, body: Record<string, unknown> = { expiresIn: 60 }) =>
  storage.send("POST", `/object/sign/own/${name}`, { body, key: storage.ann.token });
const refusal = (statusCode: string, code: string) => ({
  status: 400,
  body: expect.objectContaining({ statusCode, code }),
});

describe("a signed URL", () => {
  test("lets anybody read one file for a while", async () => {
    const name = await mine();
    const { signedURL } = (await signed(name)).body;
    expect(signedURL).toMatch(new RegExp(`^/object/sign/own/${name}\\?token=[\\w.-]+$`));
    const answer = await storage.send("GET", signedURL, { key: null });
    expect(answer).toMatchObject({ status: 200, text: "secret" });
    expect(answer.headers.get("cache-control")).toMatch(/^private/);
    expect(Date.parse(answer.headers.get("expires")!)).toBeGreaterThan(Date.now());
    const saved = await storage.send("GET", `${signedURL}&download=a%20b.txt`, { key: null });
    expect(saved.headers.get("content-disposition")).toBe(
      "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt",
    );
    expect((await storage.send("HEAD", signedURL, { key: null })).status).toBe(200);
    const part = await storage.send("GET", signedURL, { key: null, headers: { range: "bytes=1-3" } });
    expect(part).toMatchObject({ status: 206, text: "ecr" });
  });

  test("S02: is good for nothing else", async () => {
    const name = await mine();
    const other = await mine();
    const token = ((await signed(name)).body.signedURL as string).split("token=")[1]!;
    const asks: readonly (readonly [string, string])[] = [
      ["GET", `/object/sign/own/${other}?token=${token}`],
      ["GET", `/object/sign/other/${name}?token=${token}`],
      ["GET", `/object/sign/OWN/${name}?token=${token}`],
      ["GET", `/object/sign/own/${name.toUpperCase()}?token=${token}`],
      ["GET", `/object/sign/own/${name}/?token=${token}`],
      ["GET", `/object/sign/own/${name}?token=${token}x`],
      ["GET", `/object/sign/own/${name}?x=${token}`],
      ["GET", `/object/sign/own/${name}?token=${storage.ann.token}`],
      ["GET", `/object/sign/own/${name}?token=${storage.app.serviceRoleKey}`],
      ["PUT", `/object/upload/sign/own/${name}?token=${token}`],
      ["GET", `/object/authenticated/own/${name}?token=${token}`],
      ["GET", `/object/own/${name}?token=${token}`],
    ];
    for (const [method, path] of asks) {
      const answer = await storage.send(method, path, { key: null, ...(method === "PUT" ? { raw: "x" } : {}) });
      expect(answer.status, `${method} ${path}`).toBe(400);
      expect(answer.text).not.toContain("secret");
    }
    const bearer = await storage.send("GET", `/object/authenticated/own/${name}`, { key: token });
    expect(bearer.status).toBe(400);
    expect((await storage.send("GET", `/object/sign/own/${name}?token=${token}`, { key: null })).text).toBe("secret");
  });

  test("is given for what the caller may read, for as long as links may last", async () => {
    const name = await mine();
    const byBen = await storage.send("POST", `/object/sign/own/${name}`, {
      body: { expiresIn: 60 },
      key: storage.ben.token,
    });
    const ofNothing = await storage.send("POST", `/object/sign/own/${randomUUID()}`, {
      body: { expiresIn: 60 },
      key: storage.ben.token,
    });
    expect(byBen).toMatchObject(refusal("404", "NoSuchKey"));
    expect(byBen.body).toEqual(ofNothing.body);
    for (const expiresIn of [0, -1, 1.5, "soon", null, undefined]) {
      expect(await signed(name, { expiresIn }), String(expiresIn)).toMatchObject(refusal("400", "InvalidRequest"));
    }
    expect(await signed(name, { expiresIn: 1_001 })).toMatchObject(refusal("400", "InvalidParameter"));
    expect((await signed(name, { expiresIn: 1_000 })).status).toBe(200);
    expect((await signed(name, { expiresIn: 1 })).status).toBe(200);
  });

  test("of an image to be made serves no original", async () => {
    const name = await mine();
    const { signedURL } = (await signed(name, { expiresIn: 60, transform: { width: 10 } })).body;
    expect(signedURL).toMatch(/^\/render\/image\/sign\/own\//);
    const token = signedURL.split("token=")[1];
    expect(await storage.send("GET", `/object/sign/own/${name}?token=${token}`, { key: null })).toMatchObject(
      refusal("400", "InvalidSignature"),
    );
    expect((await signed(name, { expiresIn: 60, transform: {} })).body.signedURL).toMatch(/^\/object\/sign/);
  });

  test("ends", async () => {
    const name = await mine();
    const { signedURL } = (await signed(name, { expiresIn: 1 })).body;
    await expect
      .poll(async () => (await storage.send("GET", signedURL, { key: null })).body?.code, { timeout: 5_000 })
      .toBe("InvalidJWT");
  });

  test("is given for many at once, in their order", async () => {
    const [first, second] = [await mine(), await mine()];
    const foreign = `${storage.ben.id}/x.txt`;
    await storage.send("POST", `/object/own/${foreign}`, { raw: "x" });
    const paths = [second, "missing", first, foreign, first];
    const { body } = await storage.send("POST", "/object/sign/own", {
      body: { expiresIn: 60, paths },
      key: storage.ann.token,
    });
    expect(body.map(({ path }: { path: string }) => path)).toEqual(paths);
    const error = "Either the object does not exist or you do not have access to it";
    expect(body[1]).toEqual({ error, path: "missing", signedURL: null });
    expect(body[3]).toEqual({ error, path: foreign, signedURL: null });
    expect(body[0]).toMatchObject({ error: null, signedURL: expect.stringContaining(second) });
    expect((await storage.send("GET", body[4].signedURL, { key: null })).text).toBe("secret");
  });
});

describe("a signed upload", () => {
  const sign = (name: string, key = storage.ann.token, upsert = "false") =>
    storage.send("POST", `/object/upload/sign/own/${name}`, { key, headers: { "x-upsert": upsert }, raw: "{}" });

  test("lets anybody upload one file once, in the signer's name", async () => {
    const name = `${storage.ann.id}/${randomUUID()}`;
    const { url, token } = (await sign(name)).body;
    expect(url).toBe(`/object/upload/sign/own/${name}?token=${token}`);
    const answer = await storage.send("PUT", url, { key: null, raw: "uploaded", headers: { "x-upsert": "true" } });
    expect(answer).toMatchObject({ status: 200, body: { Key: `own/${name}`, Id: expect.any(String) } });
    const [row] = await storage.app.sql("select owner_id from storage.objects where name = $1", [name]);
    expect(row).toEqual({ owner_id: storage.ann.id });
    expect(await storage.send("PUT", url, { key: null, raw: "again", headers: { "x-upsert": "true" } })).toMatchObject(
      refusal("409", "KeyAlreadyExists"),
    );
    expect((await storage.send("GET", `/object/own/${name}`)).text).toBe("uploaded");
    expect(await storage.send("PUT", url.replace("token=", "token=x"), { key: null, raw: "x" })).toMatchObject(
      refusal("400", "InvalidJWT"),
    );
    const elsewhere = `/object/upload/sign/own/${name}2?token=${token}`;
    expect(await storage.send("PUT", elsewhere, { key: null, raw: "x" })).toMatchObject(
      refusal("400", "InvalidSignature"),
    );
    expect(await storage.send("GET", `/object/sign/own/${name}?token=${token}`, { key: null })).toMatchObject(
      refusal("400", "InvalidSignature"),
    );
  });

  test("replaces where the signer said so", async () => {
    const name = await mine("one");
    expect(await sign(name)).toMatchObject(refusal("409", "KeyAlreadyExists"));
    const { url } = (await sign(name, storage.ann.token, "true")).body;
    for (const raw of ["two", "three"]) expect((await storage.send("PUT", url, { key: null, raw })).status).toBe(200);
    expect((await storage.send("GET", `/object/own/${name}`)).text).toBe("three");
  });

  test("S03: is redeemed under the policies, as the signer, at that moment", async () => {
    const name = `${storage.ann.id}/${randomUUID()}`;
    expect(await sign(name, storage.ben.token)).toMatchObject(refusal("403", "AccessDenied"));
    const { url } = (await sign(name)).body;
    await storage.app.sql("insert into public.members values ($1)", [storage.ann.id]);
    try {
      expect(await storage.send("PUT", url, { key: null, raw: "x" })).toMatchObject(refusal("403", "AccessDenied"));
      // Whoever redeems it brings no rights of their own.
      expect(await storage.send("PUT", url, { raw: "x" })).toMatchObject(refusal("403", "AccessDenied"));
    } finally {
      await storage.app.sql("delete from public.members");
    }
    expect((await storage.send("PUT", url, { key: null, raw: "x" })).status).toBe(200);
  });
});
