import { createDecipheriv, hkdfSync, randomBytes, randomUUID } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesOf } from "../bytes.testing.ts";
import { plainChunkBytes, storedChunkBytes } from "./chunks.ts";
import { openCipher } from "./index.ts";
import type { BlobCipher, Cipher } from "./types.ts";

const written = (seed: number): string => bytesOf(32, seed).toString("base64");
const settingsOf = (storageEncryptionKey: string | null, ...storageEncryptionFormerKeys: string[]) => ({
  storageEncryptionKey,
  storageEncryptionFormerKeys,
});
const cipher = openCipher(settingsOf(written(1)))!;
const damaged = { code: "storage/corrupt", status: 500 };

async function* given(...pieces: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
async function* cut(bytes: Buffer, pieceBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}
const collect = async (chunks: AsyncIterable<Buffer>): Promise<Buffer> => Buffer.concat(await Array.fromAsync(chunks));

interface Sealed {
  /** Reads with this: encrypting a second time is not allowed. */
  readonly blob: BlobCipher;
  readonly stored: Buffer;
}
async function seal(plain: Buffer, pieceBytes = 10_000, by: Cipher = cipher): Promise<Sealed> {
  const blob = by.open(by.newKey(), randomUUID());
  return { blob, stored: await collect(blob.encrypt(cut(plain, pieceBytes))) };
}
const read = (blob: BlobCipher, stored: Buffer, from: number, to: number, plainBytes: number, pieceBytes = 262_144) => {
  const part = blob.storedRange({ from, to }, plainBytes);
  return collect(blob.decrypt(cut(stored.subarray(part.from, part.to), pieceBytes), { from, to }, plainBytes));
};

const sizes = [0, 1, 15, 16, 17, 65_519, 65_520, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073, 200_000];

describe("bytes of a blob", () => {
  test("come back as they were, whatever their number, and are as many in the store as said", async () => {
    for (const size of sizes) {
      const plain = bytesOf(size);
      const { blob, stored } = await seal(plain);
      expect(stored.length).toBe(blob.storedBytes(size));
      expect((await read(blob, stored, 0, size, size)).equals(plain), `${size} bytes`).toBe(true);
    }
  });

  test("are the same in the store in whatever pieces they come", async () => {
    const plain = bytesOf(150_000);
    const key = cipher.newKey();
    const id = randomUUID();
    const all = await Promise.all(
      [1_000, 65_535, 65_536, 65_537, 150_000].map((pieceBytes) =>
        collect(cipher.open(key, id).encrypt(cut(plain, pieceBytes))),
      ),
    );
    for (const stored of all) expect(stored.equals(all[0]!)).toBe(true);
    const single = await collect(cipher.open(key, id).encrypt(given(Buffer.alloc(0), plain, Buffer.alloc(0))));
    expect(single.equals(all[0]!)).toBe(true);
  });

  test("give nothing of the file away, and differ from blob to blob and from version to version", async () => {
    const plain = Buffer.alloc(70_000, "attack at dawn ");
    const key = cipher.newKey();
    const [one, two] = [cipher.open(key, randomUUID()), cipher.open(key, randomUUID())];
    const a = await collect(one.encrypt(given(plain)));
    const b = await collect(two.encrypt(given(plain)));
    const { stored: c } = await seal(plain);
    for (const stored of [a, b, c]) expect(stored.includes("attack")).toBe(false);
    expect(a.subarray(0, 64).equals(b.subarray(0, 64))).toBe(false);
    expect(a.subarray(0, 64).equals(c.subarray(0, 64))).toBe(false);
  });

  test("are encrypted once: a second time would use the same nonces for other bytes", async () => {
    const { blob } = await seal(bytesOf(10));
    expect(() => blob.encrypt(given(bytesOf(11)))).toThrow("once");
  });

  test("any range of any file is the plain slice, in whatever pieces the store gives", async () => {
    const near = (size: number) => fc.constantFrom(...sizes.filter((each) => each <= size), size);
    const files = new Map<number, Promise<Sealed>>();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...sizes).chain((size) =>
          fc.record({
            size: fc.constant(size),
            a: fc.oneof(near(size), fc.nat(size)),
            b: fc.oneof(near(size), fc.nat(size)),
            pieceBytes: fc.constantFrom(997, 65_535, storedChunkBytes, 262_144),
          }),
        ),
        async ({ size, a, b, pieceBytes }) => {
          if (!files.has(size)) files.set(size, seal(bytesOf(size)));
          const { blob, stored } = await files.get(size)!;
          const [from, to] = a < b ? [a, b] : [b, a];
          const got = await read(blob, stored, from, to, size, pieceBytes);
          expect(got.equals(bytesOf(size).subarray(from, to))).toBe(true);
        },
      ),
      { numRuns: 600 },
    );
  });

  test("a range reads the chunks that have it and no others", async () => {
    const { blob } = await seal(bytesOf(200_000));
    expect(blob.storedRange({ from: 0, to: 1 }, 200_000)).toEqual({ from: 0, to: 65_552 });
    expect(blob.storedRange({ from: 65_535, to: 65_536 }, 200_000)).toEqual({ from: 0, to: 65_552 });
    expect(blob.storedRange({ from: 65_536, to: 65_537 }, 200_000)).toEqual({ from: 65_552, to: 131_104 });
    expect(blob.storedRange({ from: 65_535, to: 65_537 }, 200_000)).toEqual({ from: 0, to: 131_104 });
    expect(blob.storedRange({ from: 199_999, to: 200_000 }, 200_000)).toEqual({ from: 196_656, to: 200_064 });
    expect(blob.storedRange({ from: 5, to: 5 }, 200_000)).toEqual({ from: 0, to: 0 });
    expect(() => blob.storedRange({ from: 0, to: 200_001 }, 200_000)).toThrow(RangeError);
    expect(() => blob.storedRange({ from: 2, to: 1 }, 200_000)).toThrow(RangeError);
    expect(() => blob.storedRange({ from: -1, to: 1 }, 200_000)).toThrow(RangeError);
  });
});

describe("damage is found", () => {
  test("any changed bit of any byte", async () => {
    const size = 300;
    const { blob, stored } = await seal(bytesOf(size));
    for (let at = 0; at < stored.length; at += 1) {
      const changed = Buffer.from(stored);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      await expect(read(blob, changed, 0, size, size), `byte ${at}`).rejects.toMatchObject(damaged);
    }
  });

  test("a changed byte in any chunk that is read, and nothing of the chunk is given", async () => {
    const size = 200_000;
    const { blob, stored } = await seal(bytesOf(size));
    await fc.assert(
      fc.asyncProperty(fc.nat(stored.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = Buffer.from(stored);
        changed[at] = (changed[at] ?? 0) ^ flip;
        let givenBytes = 0;
        const reading = (async () => {
          for await (const chunk of blob.decrypt(cut(changed, 100_000), { from: 0, to: size }, size)) {
            givenBytes += chunk.length;
          }
        })();
        await expect(reading).rejects.toMatchObject(damaged);
        expect(givenBytes).toBe(Math.floor(at / storedChunkBytes) * plainChunkBytes);
      }),
      { numRuns: 100 },
    );
  });

  test("an end that is cut off, wherever, also between chunks; and bytes that were added", async () => {
    for (const size of [1, 65_536, 131_072, 150_000]) {
      const { blob, stored } = await seal(bytesOf(size));
      const lengths = [0, 1, 16, stored.length - 1, stored.length - 16, 65_552, 131_104].filter(
        (n) => n < stored.length,
      );
      for (const length of lengths) {
        const reading = collect(blob.decrypt(given(stored.subarray(0, length)), { from: 0, to: size }, size));
        await expect(reading, `${length} of ${stored.length}`).rejects.toMatchObject(damaged);
      }
      const longer = collect(blob.decrypt(given(stored, Buffer.alloc(1)), { from: 0, to: size }, size));
      await expect(longer).rejects.toMatchObject(damaged);
    }
    const { blob } = await seal(Buffer.alloc(0));
    await expect(collect(blob.decrypt(given(), { from: 0, to: 0 }, 0))).rejects.toMatchObject(damaged);
  });

  test("a file that is said to be shorter, at a border of chunks: its last chunk is not a last one", async () => {
    const { blob, stored } = await seal(bytesOf(131_072));
    await expect(read(blob, stored, 0, 65_536, 65_536)).rejects.toMatchObject(damaged);
  });

  test("chunks that have changed places, and chunks of another blob of the same version", async () => {
    const size = 3 * plainChunkBytes;
    const key = cipher.newKey();
    const [one, two] = [cipher.open(key, randomUUID()), cipher.open(key, randomUUID())];
    const a = await collect(one.encrypt(given(bytesOf(size))));
    const b = await collect(two.encrypt(given(bytesOf(size))));
    const chunk = (stored: Buffer, n: number) => stored.subarray(n * storedChunkBytes, (n + 1) * storedChunkBytes);
    const swapped = Buffer.concat([chunk(a, 1), chunk(a, 0), chunk(a, 2)]);
    await expect(read(one, swapped, 0, size, size)).rejects.toMatchObject(damaged);
    const foreign = Buffer.concat([chunk(a, 0), chunk(b, 1), chunk(a, 2)]);
    await expect(read(one, foreign, 0, size, size)).rejects.toMatchObject(damaged);
    const twice = Buffer.concat([chunk(a, 0), chunk(a, 1), chunk(a, 1), chunk(a, 2)]);
    await expect(read(one, twice, 0, size, size)).rejects.toMatchObject(damaged);
    await expect(read(two, a, 0, size, size)).rejects.toMatchObject(damaged);
  });

  test("is reported with the blob's name", async () => {
    const seen: unknown[] = [];
    const observing = openCipher(settingsOf(written(1)), (observation) => void seen.push(observation))!;
    const id = randomUUID();
    const key = observing.newKey();
    const stored = await collect(observing.open(key, id).encrypt(given(bytesOf(10))));
    stored[3] = stored[3]! ^ 1;
    await expect(read(observing.open(key, id), stored, 0, 10, 10)).rejects.toMatchObject(damaged);
    expect(seen).toEqual([{ kind: "storage.damaged", blob: id, error: expect.any(Error) }]);
    const wrapped = Buffer.from(key.wrapped);
    wrapped[20] = wrapped[20]! ^ 1;
    expect(() => observing.open({ ...key, wrapped }, id)).toThrow(expect.objectContaining(damaged));
    expect(seen.slice(1)).toEqual([{ kind: "storage.damaged", blob: id, error: expect.any(Error) }]);
  });

  test("is not what a source fails with", async () => {
    const { blob } = await seal(bytesOf(10));
    const failure = new Error("the network is gone");
    const failing = (async function* (): AsyncGenerator<Buffer> {
      yield Buffer.alloc(1);
      throw failure;
    })();
    await expect(collect(blob.decrypt(failing, { from: 0, to: 10 }, 10))).rejects.toBe(failure);
  });
});

test("a source of either way is closed when the loop is left", async () => {
  const closed: string[] = [];
  const endless = async function* (name: string, bytes: Buffer): AsyncGenerator<Buffer> {
    try {
      for (;;) yield bytes;
    } finally {
      closed.push(name);
    }
  };
  const { stored } = await seal(bytesOf(200_000));
  const blob = cipher.open(cipher.newKey(), randomUUID());
  for await (const _ of blob.encrypt(endless("encrypt", bytesOf(70_000)))) break;
  const reading = blob.decrypt(endless("decrypt", stored), { from: 0, to: 1_000_000 }, 1_000_000);
  await expect(collect(reading)).rejects.toMatchObject(damaged);
  expect(closed).toEqual(["encrypt", "decrypt"]);
});

// Made with Python's `cryptography` (HKDF, AESGCM), from what README.md says: the format is what it says, and stays that.
test.each([
  {
    plain: Buffer.from("hello"),
    stored: "976990b32c147d7e8c88a355db89ad8809ced0a73f",
  },
  { plain: Buffer.alloc(0), stored: "0253b6a6b5919a7cfbad680f5bd89960" },
])("known answer: $plain.length bytes", async ({ plain, stored }) => {
  const known = openCipher(settingsOf("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))!;
  expect(known.currentKeyId).toBe("d1b20e44");
  const key = {
    wrapped: Buffer.from(
      "01c8c9cacbcccdcecfd0d1d2d30a6d1f21596b1a57d40a93d073feb72851fbe65b53579fef4c19f992cf03a9495cfabf87272ddbd0786812a468de26f2",
      "hex",
    ),
    wrappingKeyId: "d1b20e44",
  };
  const blob = () => known.open(key, "0190a6b2-0000-7000-8000-000000000001");
  expect((await collect(blob().encrypt(given(plain)))).toString("hex")).toBe(stored);
  expect(
    await collect(blob().decrypt(given(Buffer.from(stored, "hex")), { from: 0, to: plain.length }, plain.length)),
  ).toEqual(plain);
});

describe("keys", () => {
  test("are read in base64, base64url and hex", async () => {
    const key = randomBytes(32);
    const forms = [
      key.toString("base64"),
      key.toString("base64url"),
      key.toString("hex"),
      key.toString("hex").toUpperCase(),
    ];
    const ids = forms.map((form) => openCipher(settingsOf(` ${form}\n`))!.currentKeyId);
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/^[0-9a-f]{8}$/);
  });

  test("that are none are refused, and not repeated", () => {
    const bad = [
      "",
      "secret",
      "x".repeat(44),
      randomBytes(31).toString("base64"),
      randomBytes(33).toString("hex"),
      "0".repeat(64),
      Buffer.alloc(32, 7).toString("base64"),
    ];
    for (const each of bad) {
      const opening = () => openCipher(settingsOf(each));
      expect(opening, each).toThrow(/MAINSTAY_STORAGE_ENCRYPTION_KEY/);
      if (each !== "") expect(opening).not.toThrow(new RegExp(each.replaceAll("+", "\\+")));
    }
    expect(() => openCipher(settingsOf(written(1), "secret"))).toThrow(/FORMER_KEYS/);
    expect(() => openCipher(settingsOf(null, written(1)))).toThrow(/MAINSTAY_STORAGE_ENCRYPTION_KEY is not/);
    expect(openCipher(settingsOf(null))).toBeNull();
  });

  test("of before open what they encrypted, and what is wrapped anew opens without them", async () => {
    const before = openCipher(settingsOf(written(1)))!;
    const key = before.newKey();
    const id = randomUUID();
    const plain = bytesOf(100_000);
    const stored = await collect(before.open(key, id).encrypt(given(plain)));

    const during = openCipher(settingsOf(written(2), written(1)))!;
    expect((await read(during.open(key, id), stored, 0, plain.length, plain.length)).equals(plain)).toBe(true);
    expect(during.newKey().wrappingKeyId).toBe(during.currentKeyId);
    const moved = during.rewrap(key);
    expect(moved.wrappingKeyId).toBe(during.currentKeyId);
    expect(during.rewrap(moved)).toBe(moved);

    const seen: unknown[] = [];
    const after = openCipher(settingsOf(written(2)), (observation) => void seen.push(observation))!;
    expect((await read(after.open(moved, id), stored, 0, plain.length, plain.length)).equals(plain)).toBe(true);
    const missing = { code: "storage/key-missing", status: 500 };
    expect(() => after.open(key, id)).toThrow(expect.objectContaining(missing));
    expect(() => after.open(key, randomUUID())).toThrow(expect.objectContaining(missing));
    // Whoever runs the server has to know which it was: once, for there may be many files.
    expect(seen).toEqual([{ kind: "storage.key-missing", keyId: before.currentKeyId }]);
    expect(() => after.rewrap(key)).toThrow(expect.objectContaining(missing));
  });

  test("of versions are found when they were changed, or are said to be under another key", () => {
    const both = openCipher(settingsOf(written(2), written(1)))!;
    const key = cipher.newKey();
    for (let at = 0; at < key.wrapped.length; at += 1) {
      const wrapped = Buffer.from(key.wrapped);
      wrapped[at] = wrapped[at]! ^ 0x80;
      expect(() => both.open({ ...key, wrapped }, randomUUID()), `byte ${at}`).toThrow(
        expect.objectContaining(damaged),
      );
    }
    expect(() => both.open({ ...key, wrapped: key.wrapped.subarray(1) }, randomUUID())).toThrow(
      expect.objectContaining(damaged),
    );
    expect(() => both.open({ ...key, wrappingKeyId: both.currentKeyId }, randomUUID())).toThrow(
      expect.objectContaining(damaged),
    );
  });

  test("are new for each version", () => {
    const keys = Array.from({ length: 100 }, () => cipher.newKey().wrapped.toString("hex"));
    expect(new Set(keys).size).toBe(100);
  });
});

test("any chunk can be opened by what README.md says, and nothing else", async () => {
  const plain = bytesOf(150_000);
  const key = randomBytes(32);
  const { createChunkCipher } = await import("./chunks.ts");
  const { createBlobCipher } = await import("./blob-cipher.ts");
  const id = randomUUID();
  const stored = await collect(createBlobCipher(createChunkCipher(key, id), () => {}).encrypt(cut(plain, 9_999)));
  const blobKey = Buffer.from(hkdfSync("sha256", key, "", `mainstay storage blob ${id}`, 32));
  for (const [n, nonce] of [
    "000000000000000000000000",
    "000000000000000000000100",
    "000000000000000000000201",
  ].entries()) {
    const chunk = stored.subarray(n * 65_552, (n + 1) * 65_552);
    const decipher = createDecipheriv("aes-256-gcm", blobKey, Buffer.from(nonce, "hex")).setAuthTag(
      chunk.subarray(-16),
    );
    const opened = Buffer.concat([decipher.update(chunk.subarray(0, -16)), decipher.final()]);
    expect(opened.equals(plain.subarray(n * 65_536, (n + 1) * 65_536))).toBe(true);
  }
});
