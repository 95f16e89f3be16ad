import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiError, ok, type Person, type StorageApp, startStorageApp, told } from "./storage-app.ts";

const quotaBytes = 100_000;
let app: StorageApp;
beforeAll(async () => {
  app = await startStorageApp({ storageUserQuotaBytes: quotaBytes, storageRemoveLimit: 10, storageListLimit: 20 });
});
afterAll(() => app.stop());

const full = apiError("413", "QuotaExceeded", "The owner's storage quota is used up.");
const put = (person: Person, name: string, sizeBytes: number, options = {}) =>
  person.storage.from("documents").upload(`${person.id}/${name}`, Buffer.alloc(sizeBytes), options);

describe("a person's quota", () => {
  it("is theirs alone, to the last byte, and comes back with what they delete", async () => {
    const [ann, ben] = [app.person(), app.person()];
    ok(await put(ann, "a", 60_000));
    expect(told(await put(ann, "b", 40_001))).toEqual(full);
    ok(await put(ann, "b", 40_000));
    expect(told(await put(ann, "c", 1))).toEqual(full);
    ok(await put(ann, "c", 0));
    ok(await put(ben, "a", quotaBytes));
    const files = ann.storage.from("documents");
    expect(told(await files.copy(`${ann.id}/b`, `${ann.id}/d`))).toEqual(full);
    ok(await files.move(`${ann.id}/b`, `${ann.id}/d`));
    ok(await files.remove([`${ann.id}/d`]));
    ok(await put(ann, "b", 40_000));
  });

  it("a stream that never said how long it is ends at the quota, and leaves nothing", async () => {
    const ann = app.person();
    const files = ann.storage.from("documents");
    const long = new Blob([Buffer.alloc(quotaBytes + 1)]).stream();
    expect(told(await files.upload(`${ann.id}/long`, long))).toEqual(full);
    expect(ok(await files.list(ann.id))).toEqual([]);
    ok(await put(ann, "whole", quotaBytes));
  });

  it("S13: many at once do not pass it together", async () => {
    const ann = app.person();
    const answers = await Promise.all(Array.from({ length: 10 }, (_, at) => put(ann, String(at), 30_000)));
    const taken = answers.filter(({ error }) => error === null);
    expect(taken.length).toBe(3);
    for (const answer of answers) if (answer.error !== null) expect(told(answer)).toEqual(full);
    expect(ok(await ann.storage.from("documents").list(ann.id))).toHaveLength(3);
  });

  it("binds neither the service nor files that are nobody's", async () => {
    for (const name of ["a", "b"]) ok(await app.service.from("closed").upload(name, Buffer.alloc(quotaBytes)));
  });
});

describe("limits of one request", () => {
  it("how many are deleted", async () => {
    const names = Array.from({ length: 11 }, (_, at) => String(at));
    expect(told(await app.service.from("closed").remove(names))).toMatchObject({ statusCode: "400" });
    expect(ok(await app.service.from("closed").remove(names.slice(1)))).toEqual([]);
  });

  it("how many are listed: who asks for more gets so many, and the rest on the next page", async () => {
    const files = app.service.from("reports");
    for (let at = 0; at < 25; at++) ok(await files.upload(`n${String(at).padStart(2, "0")}`, ""));
    expect(ok(await files.list("", { limit: 1_000 }))).toHaveLength(20);
    expect(ok(await files.list("", { limit: 1_000, offset: 20 }))).toHaveLength(5);
    const page = ok(await files.listV2({ limit: 1_000 }));
    expect([page.objects.length, page.hasNext]).toEqual([20, true]);
    expect(ok(await files.listV2({ cursor: page.nextCursor ?? "" })).objects).toHaveLength(5);
  });

  it("how much may be said of a file", async () => {
    const ann = app.person();
    const big = { text: "x".repeat(1_100_000) };
    const form = new Blob(["x"]);
    const refused = await ann.storage.from("documents").upload(`${ann.id}/said`, form, { metadata: big });
    expect(told(refused)).toMatchObject({ name: "StorageApiError", status: 400 });
    expect((await ann.storage.from("documents").exists(`${ann.id}/said`)).data).toBe(false);
    ok(await put(ann, "said", 1, { metadata: { text: "x".repeat(5_000) } }));
  });
});
