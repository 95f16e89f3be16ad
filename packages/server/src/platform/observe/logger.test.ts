import { describe, expect, test } from "vitest";
import type { Values } from "../../kernel/settings.ts";
import { fanOut } from "./fan-out.ts";
import { createLogger, type LogSink } from "./logger.ts";
import type { Observation, Observe } from "./observation.ts";
import type { observeSettings } from "./settings.ts";

const open = (settings: Partial<Values<typeof observeSettings>> = {}, isTerminal = false) => {
  const lines: string[] = [];
  const sink: LogSink = { isTerminal, write: (line) => void lines.push(line) };
  const observe = createLogger({
    settings: { logLevel: "info", logFormat: "json", logRequests: "debug", ...settings },
    sink,
  });
  return { observe, lines };
};

const finished: Observation = {
  kind: "request.finished",
  id: "abc-1",
  method: "GET",
  path: "/rest/v1/places",
  status: 200,
  durationMs: 1.23456789,
  role: "anon",
};

describe("the logger", () => {
  test("tells what a function threw at a request, and asks nobody to measure those that went well", () => {
    const { observe, lines } = open();
    const run = { kind: "functions.run-finished", id: "r", functionName: "hello", durationMs: 1, cpuMs: 0 } as const;
    const ended = (status: number | null, error: unknown) => observe({ ...run, memoryBytes: 0, status, error });
    ended(200, null);
    ended(null, new Error("of a job, which tells of it itself"));
    ended(499, new Error("the caller has left"));
    expect(lines).toEqual([]);
    ended(500, new Error("on purpose"));
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      level: "error",
      msg: "hello 500",
      error: { message: "on purpose" },
    });
    expect(observe.wants?.("functions.run-finished")).toBe(false);
  });

  test("writes one JSON object per line", () => {
    const { observe, lines } = open({ logLevel: "debug" });
    observe(finished);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith("\n")).toBe(true);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      level: "debug",
      kind: "request.finished",
      id: "abc-1",
      durationMs: 1.235,
      msg: "GET /rest/v1/places 200",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
  });

  test.each([
    ["info", "debug", false],
    ["debug", "debug", true],
    ["info", "info", true],
    ["warn", "info", false],
    ["trace", "off", false],
    ["silent", "info", false],
  ] as const)("at level %s with requests at %s: requests are logged: %s", (logLevel, logRequests, isLogged) => {
    const { observe, lines } = open({ logLevel, logRequests });
    expect(observe.wants?.("request.finished")).toBe(isLogged);
    observe(finished);
    expect(lines.length > 0).toBe(isLogged);
  });

  test("tells serious from not so serious", () => {
    const { observe, lines } = open({ logLevel: "trace" });
    observe({ kind: "catalog.loaded", relations: 3, functions: 1, durationMs: 2 });
    observe({ kind: "postgres.log", level: "FATAL", line: "the database system is shutting down" });
    observe({ kind: "postgres.log", level: "LOG", line: "checkpoint starting" });
    observe({ kind: "warning", area: "http", message: "careful" });
    observe({ kind: "request.failed", id: "a-1", error: new Error("x") });
    expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual([
      "debug",
      "error",
      "debug",
      "warn",
      "error",
    ]);
  });

  test("writes an error whole: stack, causes, and what hangs on it", () => {
    const { observe, lines } = open();
    const cause = Object.assign(new Error("deadlock detected"), { sqlstate: "40P01", detail: "Process 1 waits" });
    observe({ kind: "request.failed", id: "a-1", error: new TypeError("cannot read", { cause }) });
    const { error } = JSON.parse(lines[0] ?? "") as { error: { stack: string } };
    expect(error).toMatchObject({
      type: "TypeError",
      message: "cannot read",
      cause: { message: "deadlock detected", sqlstate: "40P01", detail: "Process 1 waits" },
    });
    expect(error.stack).toContain("logger.test.ts");
  });

  test("survives errors that point at themselves, that are huge, or that are none", () => {
    const { observe, lines } = open();
    const loop = new Error("loop");
    loop.cause = loop;
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    for (const error of [loop, new Error("x".repeat(1_000_000)), "text", undefined, null, circular, 10n, Symbol("s")]) {
      observe({ kind: "request.failed", id: "a-1", error });
    }
    expect(lines).toHaveLength(8);
    expect(lines.every((line) => line.length < 100_000 && JSON.parse(line).level === "error")).toBe(true);
  });

  test("A28 no secret reaches the log, wherever it stands", () => {
    const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg";
    const secrets = [jwt, "sb_secret_TOPSECRET_abc", "hunter2", "v1refresh", "s3cr3t"];
    const texts = [
      `Bearer ${jwt}`,
      "sb_secret_TOPSECRET_abc",
      '{"password":"hunter2"}',
      "/x?refresh_token=v1refresh&y=1",
      "postgres://u:s3cr3t@h/d",
    ];
    for (const [format, isTerminal] of [
      ["json", false],
      ["human", false],
      ["human", true],
    ] as const) {
      const { observe, lines } = open({ logLevel: "trace", logFormat: format }, isTerminal);
      for (const text of texts) {
        const error = Object.assign(new Error(text, { cause: new Error(text) }), { detail: text, url: text });
        observe({ kind: "request.failed", id: "a-1", error });
        observe({ kind: "request.failed", id: "a-1", error: { headers: { authorization: text }, text } });
        observe({ ...finished, path: `/verify/${text}` });
        observe({ kind: "postgres.log", level: "ERROR", line: `STATEMENT: select '${text}'` });
        observe({ kind: "warning", area: "test", message: text });
        observe({ kind: "auth.event", event: "login", subject: text, address: "127.0.0.1" });
      }
      const log = lines.join("");
      expect(lines.length).toBe(texts.length * 6);
      for (const secret of secrets) expect(log).not.toContain(secret.replace(/^sb_secret_/, ""));
    }
  });
});

describe("lines for people", () => {
  test("are for terminals, unless told otherwise", () => {
    const onTerminal = open({ logFormat: "auto" }, true);
    onTerminal.observe({ kind: "server.listening", url: "http://127.0.0.1:54321" });
    expect(onTerminal.lines[0]).toContain("\u001b[36minfo ");
    const onPipe = open({ logFormat: "auto" }, false);
    onPipe.observe({ kind: "server.listening", url: "http://127.0.0.1:54321" });
    expect(JSON.parse(onPipe.lines[0] ?? "").msg).toBe("Listening on http://127.0.0.1:54321");
  });

  test("say time, level, sentence, the rest; a stack below", () => {
    const { observe, lines } = open({ logFormat: "human", logLevel: "debug" });
    observe(finished);
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} debug GET \/rest\/v1\/places 200 {2}id=abc-1 /);
    observe({ kind: "seed.failed", error: new Error("broken", { cause: new Error("why") }) });
    expect(lines[1]).toMatch(/error The seed failed\n {4}Error: broken\n {8}at /);
    expect(lines[1]).toContain("    caused by\n    Error: why\n");
  });

  test("X05 cannot be forged or move the cursor by what a caller sends", () => {
    const { observe, lines } = open({ logFormat: "human", logLevel: "debug" });
    observe({ ...finished, path: "/x\n12:00:00.000 info  Forged\u001b[2J\u0085\u2028" });
    expect(lines[0]?.split("\n")).toHaveLength(2);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(lines[0]).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u0085\u2028]/);
  });
});

describe("fanOut", () => {
  test("tells every reader, even after one that throws", () => {
    const seen: string[] = [];
    const failing: Observe = () => {
      throw new Error("x");
    };
    const observe = fanOut(failing, ({ kind }) => void seen.push(kind));
    observe({ kind: "server.stopped" });
    expect(seen).toEqual(["server.stopped"]);
  });

  test("wants what any of them wants", () => {
    const { observe: quiet } = open();
    const counting: Observe = Object.assign(() => {}, { wants: (kind: Observation["kind"]) => kind === "warning" });
    expect(fanOut(quiet, counting).wants?.("request.finished")).toBe(false);
    expect(fanOut(quiet, counting).wants?.("warning")).toBe(true);
    expect(fanOut(quiet, () => {}).wants?.("request.finished")).toBe(true);
  });
});
