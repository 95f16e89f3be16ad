import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { problems } from "../problems.ts";
import { bytesOf, type ContentBench, gather, md5, newVersion, openContentBench, whole } from "./testing.ts";
import type { Received } from "./types.ts";

let bench: ContentBench;
beforeAll(async () => {
  bench = await openContentBench();
});
afterAll(() => bench.close());

const states = async () =>
  (await bench.sql<{ state: string }>("select state from mainstay.object_versions order by created_at")).map(
    ({ state }) => state,
  );
const receive = (bytes: Buffer, version = {}) => bench.content.receive(newVersion(version), whole(bytes));
/** As `Objects.write` does it for the service. */
const write = ({ version, blobId, sizeBytes, md5 }: Received, name: string) =>
  bench.sql(
    `select w.version from mainstay.write_plain_upload($1, $2, $3, 'service_role', '{}', '', 'storage.object.upload', null,
       'files', $4, null, jsonb_build_object('size', $2::bigint), null, $5, false) w`,
    [blobId, sizeBytes, md5, name, version],
  );
const nothingIsLeft = async () => {
  expect(await bench.stored()).toEqual([]);
  expect(await bench.sql("select from mainstay.object_segments")).toEqual([]);
  expect(await states()).not.toContain("receiving");
};

describe("a file that is received in one piece", () => {
  test("is nothing to anybody until an object has it, and then is what came", async () => {
    const bytes = bytesOf(100_003);
    const received = await receive(bytes);
    expect([received.sizeBytes, received.md5.toString("hex")]).toEqual([bytes.length, md5(bytes)]);
    expect(await bench.content.segments(received.version)).toEqual([]);
    expect(await bench.content.openReceived(received.version).then((reader) => reader?.sizeBytes ?? 0)).toBe(0);
    expect(await bench.content.open(received.version)).toBeNull();
    expect(await write(received, "whole")).toEqual([{ version: received.version }]);
    received.leave();
    expect(await gather((await bench.content.open(received.version))!.stream())).toEqual(bytes);
    // Who has not heard that it was written takes nothing back.
    await received.giveUp();
    const fresh = await bench.another();
    expect(await gather((await fresh.content.open(received.version))!.stream())).toEqual(bytes);
    await bench.sql("delete from storage.objects; update mainstay.object_versions set expires_at = '-infinity'");
    await bench.sweeper.sweep();
    await nothingIsLeft();
  });

  test("is taken back with its row when it is given up, and nobody can write it afterwards", async () => {
    const received = await receive(bytesOf(5_000));
    expect(await bench.stored()).toEqual([received.blobId]);
    await received.giveUp();
    await nothingIsLeft();
    await expect(write(received, "late")).rejects.toMatchObject({ code: "MST01" });
    expect(await bench.sql("select from storage.objects")).toEqual([]);
  });

  test("stays as it was when the object is refused: the bytes are not half known", async () => {
    const first = await receive(bytesOf(10));
    await write(first, "taken");
    const second = await receive(bytesOf(20));
    await expect(write(second, "taken")).rejects.toMatchObject({ code: "23505" });
    expect(await bench.content.segments(second.version)).toEqual([]);
    await second.giveUp();
    expect(await bench.stored()).toEqual([first.blobId]);
    await bench.sql("delete from storage.objects; update mainstay.object_versions set expires_at = '-infinity'");
    await bench.sweeper.sweep();
    await nothingIsLeft();
  });

  test("leaves nothing when it is too large, too much for its owner, or its source fails", async () => {
    await expect(bench.content.receive(newVersion(), { ...whole(bytesOf(11)), limitBytes: 10 })).rejects.toMatchObject({
      code: problems.entityTooLarge().code,
    });
    const node = await bench.another({ storageUserQuotaBytes: 100 });
    const owned = { ownerId: "somebody", reservedBytes: 101 };
    await expect(node.content.receive(newVersion(owned), whole(bytesOf(101)))).rejects.toMatchObject({
      code: problems.quotaExceeded().code,
    });
    await expect(
      node.content.receive(newVersion({ ...owned, reservedBytes: 0 }), whole(bytesOf(101))),
    ).rejects.toMatchObject({ code: problems.quotaExceeded().code });
    const broken = (async function* () {
      yield bytesOf(10);
      throw new Error("The line is cut.");
    })();
    await expect(bench.content.receive(newVersion(), { source: broken, limitBytes: 100 })).rejects.toThrow("cut");
    await nothingIsLeft();
  });

  test("S11 whose server dies before its object is written is swept when its lease has run out", async () => {
    const received = await receive(bytesOf(500));
    // A server that is gone says no word for it any more.
    received.leave();
    await bench.sweeper.sweep();
    expect(await bench.stored()).toEqual([received.blobId]);
    await bench.sql("update mainstay.object_versions set expires_at = now() where state = 'receiving'");
    await bench.sql("update mainstay.object_segments set expires_at = now()");
    await bench.sweeper.sweep();
    await nothingIsLeft();
    await expect(write(received, "too late")).rejects.toMatchObject({ code: "MST01" });
  });
});
