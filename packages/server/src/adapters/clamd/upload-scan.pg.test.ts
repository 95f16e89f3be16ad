import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { openStorageApp, type StorageApp } from "../../capabilities/storage/objects/app.testing.ts";
import { openClamdScanner } from "./index.ts";
import { openTestClamd, type TestClamd } from "./test-server.ts";

const bucket = "insert into storage.buckets (id, name, public) values ('open', 'open', true)";

describe("an upload that is scanned", () => {
  let clamd: TestClamd;
  let strict: StorageApp;
  let lenient: StorageApp;
  beforeAll(async () => {
    clamd = await openTestClamd();
    const scanned = {
      storageScanner: "clamd",
      storageClamdAddress: clamd.address,
      storageScanSilenceMs: 200,
      storageScanLimitBytes: 10_000,
      storageScanConcurrency: 2,
    } as const;
    strict = await openStorageApp({ sql: bucket, settings: { storage: scanned } });
    lenient = await openStorageApp({
      sql: bucket,
      settings: { storage: { ...scanned, storageScanUnscanned: "allow" } },
    });
  });
  beforeEach(() => {
    clamd.fault = "none";
  });
  afterAll(async () => {
    await strict?.stop();
    await lenient?.stop();
    await clamd?.close();
  });
  const put = (app: StorageApp, name: string, raw: string) => app.send("POST", `/object/open/${name}`, { raw });

  test("is visible when it is clean, and never when it is not", async () => {
    expect((await put(strict, "clean", "fine")).status).toBe(200);
    expect(await put(strict, "bad", "xx EICAR xx")).toMatchObject({
      status: 400,
      body: { code: "storage/infected", message: expect.stringContaining("Eicar-Test-Signature") },
    });
    expect((await strict.send("GET", "/object/public/open/bad")).body).toMatchObject({ statusCode: "404" });
    expect(await strict.app.sql("select state from mainstay.object_versions where state = 'receiving'")).toEqual([]);
    expect((await put(strict, "clean", "EICAR")).status).toBe(400);
    const over = await strict.send("PUT", "/object/open/clean", { raw: "EICAR" });
    expect(over.body).toMatchObject({ code: "storage/infected" });
    expect((await strict.send("GET", "/object/public/open/clean")).text).toBe("fine");
  });

  test("many at once are scanned in turn", async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, at) => put(strict, `many-${at}`, at % 2 ? "EICAR" : "fine")),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, (_, at) => (at % 2 ? 400 : 200)));
  });

  test.each(["silent", "cut-at-once", "garbage"] as const)(
    "is refused, or let in, as is set, when clamd does this: %s",
    async (fault) => {
      clamd.fault = fault;
      expect(await put(strict, `away-${fault}`, "fine")).toMatchObject({
        status: 503,
        body: { code: "storage/scanner-unavailable" },
      });
      expect((await put(lenient, `away-${fault}`, "fine")).status).toBe(200);
      expect((await strict.send("GET", `/object/public/open/away-${fault}`)).body).toMatchObject({ statusCode: "404" });
    },
  );

  test("is refused, or let in, when it is too large to be scanned", async () => {
    const large = "x".repeat(10_001);
    expect((await put(strict, "large", large)).body).toMatchObject({
      statusCode: "413",
      code: "storage/not-scannable",
    });
    expect((await put(lenient, "large", large)).status).toBe(200);
  });
});

const clamdPath = ["/usr/sbin/clamd", "/usr/local/sbin/clamd"].find((path) => existsSync(path));
if (clamdPath === undefined)
  console.warn("SKIPPED: clamd is not installed, so it is not tried (apt-get install clamav-daemon).");

describe.skipIf(clamdPath === undefined)("Debian's clamd", () => {
  let folder: string;
  let daemon: ChildProcess;
  let address: string;
  // In two parts, so that no scanner takes this file for one.
  const eicar = `${"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR"}${"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"}`;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "clamd-"));
    address = join(folder, "clamd.ctl");
    const signature = Buffer.from(eicar).toString("hex");
    await writeFile(join(folder, "local.ndb"), `Test.Eicar:0:*:${signature}\n`);
    await writeFile(
      join(folder, "clamd.conf"),
      `LocalSocket ${address}\nDatabaseDirectory ${folder}\nForeground yes\nStreamMaxLength 1M\nMaxThreads 2\n`,
    );
    daemon = spawn(clamdPath!, ["--config-file", join(folder, "clamd.conf")], { stdio: "ignore" });
    await vi.waitFor(() => expect(existsSync(address)).toBe(true), { timeout: 30_000, interval: 50 });
  }, 40_000);
  afterAll(async () => {
    const gone = new Promise((resolve) => daemon.once("exit", resolve));
    daemon.kill("SIGKILL");
    await gone;
    await rm(folder, { recursive: true, force: true });
  });
  async function* file(...parts: readonly (string | Buffer)[]): AsyncGenerator<Uint8Array> {
    for (const part of parts) yield Buffer.from(part);
  }

  test("finds EICAR, also where chunks cut it, and nothing in what is clean", async () => {
    const scanner = openClamdScanner({ address, silenceMs: 20_000 });
    expect(await scanner.scan(file("hello ", "world"))).toEqual({ isClean: true });
    expect(await scanner.scan(file(Buffer.alloc(600_000, "a")))).toEqual({ isClean: true });
    expect(await scanner.scan(file())).toEqual({ isClean: true });
    expect(await scanner.scan(file(eicar))).toMatchObject({
      isClean: false,
      finding: expect.stringContaining("Eicar"),
    });
    expect(await scanner.scan(file(eicar.slice(0, 30), eicar.slice(30)))).toMatchObject({ isClean: false });
  });

  test("gives no verdict on what is larger than it takes", async () => {
    const scanner = openClamdScanner({ address, silenceMs: 20_000 });
    await expect(scanner.scan(file(Buffer.alloc(3_000_000, "a")))).rejects.toThrow();
  });
});
