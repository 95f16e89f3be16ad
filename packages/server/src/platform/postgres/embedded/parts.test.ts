import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../kernel/problem.ts";
import { commandLine, configurationFile, fingerprintOf } from "./configuration.ts";
import { parseLogLine } from "./log-line.ts";
import { parsePostmasterFile } from "./postmaster-file.ts";
import { explainStartFailure, explainSystemError } from "./problems.ts";
import { identify, isSameProcess } from "./process-identity.ts";
import { blockedAt, chooseServiceUser, findUser } from "./service-user.ts";
import { withDefaults } from "./settings.ts";

const passwd =
  "root:x:0:0::/root:/bin/sh\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\nada:x:1000:1001::/home/ada:/bin/sh\n";

describe("the service user", () => {
  it.each([
    ["postgres", { name: "postgres", uid: 101, gid: 104 }],
    ["1000", { name: "ada", uid: 1000, gid: 1001 }],
    ["12:34", { name: "12:34", uid: 12, gid: 34 }],
    ["no-such-user-here", null],
    ["-u root; true", null],
  ])("%s is looked up", (name, expected) => {
    expect(findUser(name, passwd)).toEqual(expected);
  });

  it("is nobody in particular when we are not root", () => {
    expect(chooseServiceUser(null, { uid: 0, gid: 0 }, 1000)).toBeNull();
    expect(chooseServiceUser("1000:1000", null, 1000)).toBeNull();
    expect(() => chooseServiceUser("4:4", null, 1000)).toThrow(/only root can become/);
  });

  it("is the owner of the data, unless that is root", () => {
    expect(chooseServiceUser(null, { uid: 1000, gid: 1001 }, 0)).toMatchObject({ uid: 1000, gid: 1001 });
    expect(chooseServiceUser(null, { uid: 0, gid: 0 }, 0)?.uid).not.toBe(0);
    expect(chooseServiceUser("5:6", { uid: 1000, gid: 1001 }, 0)).toMatchObject({ uid: 5, gid: 6 });
  });

  it("is blocked by the outermost folder it may not pass", () => {
    const dir = realpathSync(mkdtempSync(join(tmpdir(), "reach-")));
    mkdirSync(join(dir, "a", "b"), { recursive: true, mode: 0o755 });
    const stranger = { name: "stranger", uid: 54_321, gid: 54_321 };
    const self = { name: "self", uid: statSync(dir).uid, gid: statSync(dir).gid };
    expect(blockedAt(join(dir, "a", "b"), stranger)).toBe(dir);
    expect(blockedAt(join(dir, "a", "b"), self)).toBeNull();
    rmSync(dir, { recursive: true });
  });
});

describe("postmaster.pid", () => {
  it("is read by its lines", () => {
    expect(parsePostmasterFile("8664\n/data dir\n1795262786\n5433\n../run\n\n 16039952         9\nready   \n")).toEqual(
      {
        pid: 8664,
        dataDir: "/data dir",
        startedAtSeconds: 1795262786,
        port: 5433,
        status: "ready",
      },
    );
  });

  it.each(["", "\n", "abc\n", "8664", "-77\n/data\n"])("half-written (%j) it is no status", (text) => {
    expect(parsePostmasterFile(text)).toMatchObject({ status: "", port: 0 });
  });
});

describe("a log line", () => {
  it.each([
    ["2026-11-21 12:06:31.409 UTC [8688] LOG:  shutting down", { level: "log", pid: 8688, message: "shutting down" }],
    [
      "2026-11-21 12:06:31.409 UTC [1] FATAL:  the database system is starting up",
      { level: "fatal", pid: 1, message: "the database system is starting up" },
    ],
    ["2026-11-21 12:06:31.409 UTC [1] DEBUG1:  x: y", { level: "debug1", pid: 1, message: "x: y" }],
    ["\tcontinued [1] LOG:  not a line", { level: "output", pid: null, message: "\tcontinued [1] LOG:  not a line" }],
    ["sh: 1: nope: not found", { level: "output", pid: null, message: "sh: 1: nope: not found" }],
  ])("%s", (line, expected) => {
    expect(parseLogLine(line)).toEqual(expected);
  });
});

describe("a process", () => {
  it("is the same only with the same start", async () => {
    const self = identify(process.pid)!;
    expect(isSameProcess(self)).toBe(true);
    if (self.startedAt !== null) expect(isSameProcess({ ...self, startedAt: `${self.startedAt}0` })).toBe(false);
    const child = spawn("true");
    await new Promise((resolve) => child.once("exit", resolve));
    expect(identify(child.pid!)).toBeNull();
  });
});

describe("failures", () => {
  it.each([
    ["ENOSPC", "postgres/disk-full"],
    ["EDQUOT", "postgres/disk-full"],
    ["EROFS", "postgres/folder-not-writable"],
    ["EACCES", "postgres/folder-not-writable"],
  ])("%s is %s", (code, expected) => {
    expect(explainSystemError(Object.assign(new Error(code), { code }), "/x")).toMatchObject({ code: expected });
  });

  it("that are not the system's stay what they are", () => {
    const bug = new TypeError("x is not a function");
    expect(explainSystemError(bug, "/x")).toBe(bug);
    const problem = new Problem("a/b", 503, "c");
    expect(explainSystemError(problem, "/x")).toBe(problem);
  });

  it("of PostgreSQL carry its last words", () => {
    const full = 'FATAL:  could not write lock file "postmaster.pid": No space left on device';
    expect(explainStartFailure("It ended", "/d", [full])).toMatchObject({
      code: "postgres/disk-full",
      details: { log: [full] },
    });
    expect(explainStartFailure("It ended", "/d", ["FATAL:  no"]).message).toBe("It ended.\n  FATAL:  no");
  });
});

describe("the configuration", () => {
  it("bounds what a lagging reader may keep, and acknowledges on disk only", () => {
    const text = configurationFile(withDefaults({ postgresMaxSlotWalKeepBytes: 512 * 1024 * 1024 }));
    expect(text).toContain("max_slot_wal_keep_size = '512MB'");
    expect(text).toContain("synchronous_commit = 'on'");
    expect(text).not.toMatch(/fsync|full_page_writes/);
  });

  it("keeps to the socket unless a port is asked for", () => {
    const options = { port: 5432, socketDir: "/run", fingerprint: "f" };
    expect(commandLine({ ...options, isOnTcp: false })).toContain("listen_addresses=");
    expect(commandLine({ ...options, isOnTcp: true })).toContain("listen_addresses=127.0.0.1");
  });

  it("has a fingerprint of its own for each", () => {
    expect(fingerprintOf(["a", "b"])).not.toBe(fingerprintOf(["ab"]));
    expect(fingerprintOf(["a", 1])).toBe(fingerprintOf(["a", 1]));
  });
});
