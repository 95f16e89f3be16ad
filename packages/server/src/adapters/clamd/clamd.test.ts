import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openClamdScanner } from "./index.ts";
import { verdictOf } from "./reply.ts";
import { openTestClamd, type TestClamd } from "./test-server.ts";

let clamd: TestClamd;
beforeAll(async () => {
  clamd = await openTestClamd();
});
beforeEach(() => {
  clamd.fault = "none";
  clamd.received.length = 0;
  // One that reads no more does not notice who leaves.
  for (const socket of clamd.connections) socket.destroy();
});
afterAll(() => clamd.close());

async function* file(...parts: readonly (string | Buffer)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}
const scanner = (silenceMs = 5_000) => openClamdScanner({ address: clamd.address, silenceMs });

describe("clamd", () => {
  test("is given every byte, and says that a file is clean", async () => {
    const large = Buffer.alloc(1_500_000, "0123456789");
    expect(await scanner().scan(file("a", large, "", "z"))).toEqual({ isClean: true });
    expect(clamd.received[0]?.equals(Buffer.concat([Buffer.from("a"), large, Buffer.from("z")]))).toBe(true);
    expect(await scanner().scan(file())).toEqual({ isClean: true });
  });

  test("finds what is in it", async () => {
    expect(await scanner().scan(file("xx EI", "CAR xx"))).toEqual({ isClean: false, finding: "Eicar-Test-Signature" });
  });

  test("listens on a socket too", async () => {
    const folder = await mkdtemp(join(tmpdir(), "clamd-"));
    const local = await openTestClamd(join(folder, "clamd.ctl"));
    try {
      const verdict = await openClamdScanner({ address: local.address, silenceMs: 5_000 }).scan(file("EICAR"));
      expect(verdict.isClean).toBe(false);
    } finally {
      await local.close();
      await rm(folder, { recursive: true });
    }
  });

  test.each(["cut-at-once", "cut-in-the-midst", "garbage", "size-limit"] as const)(
    "that does this gives no verdict: %s",
    async (fault) => {
      clamd.fault = fault;
      await expect(scanner().scan(file("a".repeat(500), Buffer.alloc(3_000_000)))).rejects.toThrow();
      await expect.poll(() => clamd.connections.size).toBe(0);
    },
  );

  test.each(["silent", "no-more-reading"] as const)("that is away is given up: %s", async (fault) => {
    clamd.fault = fault;
    await expect(scanner(50).scan(file(Buffer.alloc(20_000_000)))).rejects.toThrow(/silent for 50 ms/);
  });

  test("that is not there gives no verdict, nor does an address that is none", async () => {
    await expect(openClamdScanner({ address: "127.0.0.1:1", silenceMs: 1_000 }).scan(file("a"))).rejects.toThrow();
    await expect(openClamdScanner({ address: "nowhere", silenceMs: 1_000 }).scan(file("a"))).rejects.toThrow(/address/);
  });

  test("is left when nobody waits, and when the source fails", async () => {
    clamd.fault = "silent";
    const abort = new AbortController();
    const scan = scanner().scan(file("a"), abort.signal);
    await expect.poll(() => clamd.received.length).toBe(1);
    abort.abort();
    await expect(scan).rejects.toThrow(/waits/);
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("a");
      throw new Error("the store fails");
    }
    await expect(scanner().scan(broken())).rejects.toThrow("the store fails");
    await expect.poll(() => clamd.connections.size).toBe(0);
  });

  test("whose answer is none is not believed", () => {
    for (const reply of ["", "\0", "OK", "stream: OK FOUND OK", "stream: ", "INSTREAM size limit exceeded. ERROR\0"]) {
      expect(() => verdictOf(reply), reply).toThrow();
    }
    expect(verdictOf("stream: a\u001b[31mb FOUND\0")).toEqual({ isClean: false, finding: "a?[31mb" });
  });
});
