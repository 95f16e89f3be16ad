import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readSettings } from "../../../kernel/settings.ts";
import type { Observation } from "../../../platform/observe/observation.ts";
import { createCommonPasswords } from "./common-passwords.ts";
import { createBreached } from "./index.ts";
import { compile, entryBytes, knownPasswords, pack } from "./pack.ts";
import { breachedSettings } from "./settings.ts";

describe("A27 the list of common passwords", () => {
  const isCommon = createCommonPasswords();

  test("has what people choose, however it is written", () => {
    const common = ["password", "123456", "12345678", "qwertyuiop", "iloveyou", "letmein", "trustno1", "dragon2024"];
    for (const password of common) expect.soft(isCommon(password), password).toBe(true);
    for (const password of ["Password", "PASSWORD1", "QwErTy123", "ｐａｓｓｗｏｒｄ", "Dragon123!"]) {
      expect.soft(isCommon(password), password).toBe(true);
    }
  });

  test("has nothing else", () => {
    const good = [
      "correct horse",
      "correct horse battery staple",
      "",
      " password",
      "passwor d",
      "🦊".repeat(64),
      "a\0b",
    ];
    for (const password of good) expect.soft(isCommon(password), password).toBe(false);
    fc.assert(fc.property(fc.uuid(), (password) => !isCommon(password)));
  });

  test("is large, small on disk, sorted and without repetitions", () => {
    const bytes = readFileSync(new URL("./common-passwords.bin", import.meta.url));
    expect(bytes.length % entryBytes).toBe(0);
    expect(bytes.length / entryBytes).toBeGreaterThan(30_000);
    expect(bytes.length).toBeLessThan(200_000);
    for (let at = entryBytes; at < bytes.length; at += entryBytes) {
      const order = bytes.compare(bytes, at - entryBytes, at, at, at + entryBytes);
      if (order <= 0) expect.fail(`entry ${at / entryBytes} is not after the one before`);
    }
  });

  test("is what the package it comes from makes", () => {
    const bytes = readFileSync(new URL("./common-passwords.bin", import.meta.url));
    expect(pack(compile(knownPasswords())).equals(bytes)).toBe(true);
  });

  test("is packed from passwords by frequency, with endings behind the most frequent words", () => {
    const words = compile(["123456", "dragon", "abc"]);
    expect(words).toEqual(expect.arrayContaining(["123456", "dragon", "abc", "dragon1", "dragon123!", "dragon2026"]));
    expect(words).not.toContain("1234561");
    expect(words).not.toContain("abc1");
    expect(pack(["B", "b", "ｂ", "a"])).toHaveLength(2 * entryBytes);
  });
});

describe("the service that knows breaches", () => {
  const asked: IncomingMessage[] = [];
  let answer: (prefix: string, reply: ServerResponse) => void;
  const seen: Observation[] = [];
  const clock = {
    ms: 1_795_000_000_000,
    nowMs() {
      return this.ms;
    },
  };
  const server = createServer((request, reply) => {
    asked.push(request);
    answer(/^\/range\/([0-9A-F]{5})$/.exec(request.url ?? "")?.[1] ?? "", reply);
  });
  beforeAll(() => new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening)));
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    asked.length = 0;
    seen.length = 0;
  });

  const digitsOf = (password: string) => createHash("sha1").update(password).digest("hex").toUpperCase();
  /** A range with `passwords` in it, and what pads it. */
  const rangeWith =
    (...passwords: string[]): typeof answer =>
    (prefix, reply) => {
      const lines = passwords
        .filter((one) => digitsOf(one).startsWith(prefix))
        .map((one) => `${digitsOf(one).slice(5)}:42`);
      const padding = ["0018A45C4D1DEF81644B54AB7F969B88D65:0", `${digitsOf("padding").slice(5)}:0`];
      reply.end([...lines, ...padding].join("\r\n"));
    };
  const breached = (env: Record<string, string> = {}) =>
    createBreached({
      settings: readSettings(breachedSettings, {
        env: {
          GOTRUE_PASSWORD_HIBP_ENABLED: "true",
          MAINSTAY_PASSWORD_HIBP_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
          MAINSTAY_PASSWORD_HIBP_TIMEOUT_MS: "200",
          ...env,
        },
      }).values,
      clock,
      observe: (one) => seen.push(one),
    });

  test("is not asked unless a setting says so", async () => {
    const isBlocked = breached({ GOTRUE_PASSWORD_HIBP_ENABLED: "false" });
    expect([await isBlocked("correct horse"), await isBlocked("password")]).toEqual([false, true]);
    expect(asked).toHaveLength(0);
  });

  test("learns five digits, and asks for padding", async () => {
    answer = rangeWith("correct horse");
    expect(await breached()("correct horse")).toBe(true);
    expect(asked.map(({ url }) => url)).toEqual([`/range/${digitsOf("correct horse").slice(0, 5)}`]);
    expect(asked[0]?.headers).toMatchObject({ "add-padding": "true", "user-agent": "Mainstay" });
    expect(JSON.stringify(asked[0]?.headers)).not.toContain(digitsOf("correct horse").slice(5, 15));
  });

  test("takes what counts 0 for the padding it is, and letters as typed", async () => {
    answer = rangeWith("correct horse");
    expect([await breached()("padding"), await breached()("Correct horse")]).toEqual([false, false]);
  });

  test("is asked once an hour for a range", async () => {
    answer = rangeWith("correct horse");
    const isBlocked = breached();
    for (let at = 0; at < 3; at++) expect(await isBlocked("correct horse")).toBe(true);
    expect(asked).toHaveLength(1);
    clock.ms += 3_600_001;
    answer = rangeWith();
    expect(await isBlocked("correct horse")).toBe(false);
    expect(asked).toHaveLength(2);
  });

  test("is not asked about what the list has already", async () => {
    expect(await breached()("password123")).toBe(true);
    expect(asked).toHaveLength(0);
    answer = rangeWith();
    expect(await breached({ MAINSTAY_PASSWORD_BLOCKLIST: "false" })("password123")).toBe(false);
    expect(asked).toHaveLength(1);
  });

  describe.each<[string, typeof answer]>([
    ["hangs", () => {}],
    ["answers 503", (_, reply) => reply.writeHead(503).end("busy")],
    ["answers 404", (_, reply) => reply.writeHead(404).end()],
    ["answers something else", (_, reply) => reply.end("<html>Welcome to the hotel network</html>")],
    ["redirects", (_, reply) => reply.writeHead(302, { Location: "http://127.0.0.1:1/" }).end()],
    ["breaks off", (_, reply) => reply.destroy()],
    ["answers without end", (_, reply) => reply.end("0".repeat(300_000))],
  ])("that %s", (_what, fault) => {
    test("leaves the list, and a warning", async () => {
      answer = fault;
      const isBlocked = breached();
      expect([await isBlocked("correct horse"), await isBlocked("password")]).toEqual([false, true]);
      expect(seen).toHaveLength(1);
      expect(seen[0]).toMatchObject({ kind: "warning", area: "auth" });
      expect(JSON.stringify(seen)).not.toContain("correct horse");
    });

    test("lets no password pass where a setting wants to be sure", async () => {
      answer = fault;
      const isBlocked = breached({ GOTRUE_PASSWORD_HIBP_FAIL_CLOSED: "true" });
      await expect(isBlocked("correct horse")).rejects.toMatchObject({ code: "auth/unexpected_failure", status: 500 });
    });
  });

  test("X12 is left alone for a minute after three failures", async () => {
    answer = (_, reply) => reply.writeHead(500).end();
    const isBlocked = breached();
    for (let at = 0; at < 6; at++) expect(await isBlocked(`a good password ${at}`)).toBe(false);
    expect(asked).toHaveLength(3);
    answer = rangeWith("correct horse");
    clock.ms += 60_000;
    expect(await isBlocked("correct horse")).toBe(true);
    expect(asked).toHaveLength(4);
  });
});
