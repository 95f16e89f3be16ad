import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Principal } from "../../../kernel/principal.ts";
import { frameKind, frameLimitBytes, streamWindowBytes } from "../channel/kinds.ts";
import type { Loaded } from "../channel/messages.ts";
import type { HttpInput, HttpOutput, Invocation, LogLine } from "../types.ts";
import type { FunctionsProcess, ThreadEvents } from "./functions-process.ts";
import { Task } from "./task.ts";
import { Thread, type ThreadEnd } from "./thread.ts";

/** What speaks at the other end of a thread's socket when its code has taken it over: the server's side of it is the real one, the thread's is this file. */
let folder: string;
let line: Line;
let called: string[];
let fetched: string[];

/** What the server was told of the thread. */
interface Seen {
  readonly loaded: Loaded[];
  readonly lines: LogLine[];
  readonly over: Task[];
  readonly ends: ThreadEnd[];
  readonly returned: Task[];
}

interface Line extends Seen {
  readonly thread: Thread;
  /** As the thread has it. */
  readonly socket: Socket;
  send(kind: number, number: number, payload?: Buffer | string): void;
  /** Why the thread was ended. */
  ended(): Promise<string>;
}

async function open(): Promise<Line> {
  const path = join(folder, "s");
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer((socket) => accepted.resolve(socket)).listen(path);
  const socket = connect(path);
  socket.on("error", () => {});
  const ours = await accepted.promise;
  ours.on("error", () => {});
  server.close();
  let events: ThreadEvents | null = null;
  const told = Promise.withResolvers<void>();
  const process = {
    start(_start: unknown, _limits: unknown, listener: ThreadEvents) {
      events = listener;
      listener.connected(ours);
      return 1;
    },
    end() {
      told.resolve();
      events!.ended({ kind: "ended", thread: 1, reason: "ended", begun: 0xffff, message: null, unsent: "" });
    },
  };
  const seen: Seen = { loaded: [], lines: [], over: [], ends: [], returned: [] };
  const thread = new Thread({
    // Of the process a thread uses these two.
    process: process as unknown as FunctionsProcess,
    start: {
      init: {
        environment: {},
        secretNames: [],
        projectUrl: "http://project.test",
        anonKey: "",
        serviceRoleKey: "",
        allowedHosts: [],
        limits: { responseBytes: 1_000_000, logLineBytes: 1_000, logLines: 10 },
      },
      module: { functionName: "hostile", bundle: "/hostile.js" },
      measuresCpu: false,
    },
    memoryMb: 16,
    bootMs: 60_000,
    responseLimitBytes: 1_000_000,
    logLines: 10,
    services: {
      echo: async (args, invocation) => {
        called.push(invocation.id);
        return args[0] ?? null;
      },
      large: async () => "x".repeat(4_000_000),
    },
    internalFetch: async (input, invocation) => {
      fetched.push(`${invocation.id} ${input.url}`);
      return { status: 200, headers: [], body: null };
    },
    observe: () => {},
    onLoaded: (_, loaded) => void seen.loaded.push(loaded),
    onRoom: () => {},
    onAnswer: () => {},
    onOver: (task) => void seen.over.push(task),
    onLog: (said) => void seen.lines.push(said),
    onReturned: (tasks) => void seen.returned.push(...tasks),
    onEnded: (_, begun, end) => {
      seen.ends.push(end);
      for (const task of begun) task.fail(new Error(`ended: ${end.message}`));
    },
  });
  return {
    thread,
    socket,
    ...seen,
    send(kind, number, payload = "") {
      const bytes = Buffer.from(payload);
      const head = Buffer.alloc(9);
      head.writeUInt32LE(bytes.length + 5);
      head[4] = kind;
      head.writeUInt32LE(number, 5);
      socket.write(Buffer.concat([head, bytes]));
    },
    async ended() {
      await told.promise;
      return seen.ends[0]?.message ?? "";
    },
  };
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "hostile-"));
  called = [];
  fetched = [];
  line = await open();
});
afterEach(() => {
  line.thread.end();
  line.socket.destroy();
  rmSync(folder, { recursive: true });
});

const who: Principal = {
  role: "anon",
  subject: null,
  claims: {},
  claimsJson: "{}",
  isAuthenticated: false,
  expiresAtMs: Number.POSITIVE_INFINITY,
};

/** An invocation that the thread has. */
function begin(
  id = "mine",
  body: HttpInput["body"] = null,
): { readonly task: Task; readonly answer: Promise<HttpOutput> } {
  const { promise, resolve, reject } = Promise.withResolvers<HttpOutput>();
  promise.catch(() => {});
  const invocation: Invocation = {
    id,
    functionName: "hostile",
    index: 0,
    who,
    isCalled: true,
    signal: new AbortController().signal,
    timeoutMs: null,
  };
  const input = { method: "GET", url: "http://project.test/hostile", headers: [], body };
  const task = new Task(invocation, { kind: "request", input, resolve }, reject, performance.now());
  line.thread.send(task);
  return { task, answer: promise };
}

const u32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => void bytes.writeUInt32LE(value >>> 0, at * 4));
  return bytes;
};
const answerOf = (status: number, flags: number, head: string, headBytes = head.length, body = ""): Buffer => {
  const fixed = Buffer.alloc(11);
  fixed.writeUInt16LE(status);
  fixed[2] = flags;
  fixed.writeUInt32LE(headBytes, 7);
  return Buffer.concat([fixed, Buffer.from(head, "latin1"), Buffer.from(body)]);
};
const [whole, streams, mark] = [1, 2, 4];
const settled = <T>(promise: Promise<T>) =>
  promise.then(
    () => "answered",
    (error: Error) => error.message,
  );
const loadedWith = (definition: unknown): string => JSON.stringify({ definitions: [definition] });

describe("X23 X24 a thread that speaks the server's own language, and means harm, is ended and disturbs nobody", () => {
  const words: readonly (readonly [string, number, number, Buffer | string])[] = [
    ["a kind that is none", 99, 1, ""],
    ["a kind of the server's", frameKind.request, 1, "x"],
    ["hello once more", frameKind.hello, 0, "token"],
    ["an answer that is too short", frameKind.answer, 1, "x"],
    ["an answer whose head is longer than its frame", frameKind.answer, 1, answerOf(200, 0, "", 0xffff_ff00)],
    ["an answer with half a header", frameKind.answer, 1, answerOf(200, 0, "name")],
    ["a status that announces another answer", frameKind.answer, 1, answerOf(101, 0, "")],
    ["a status of four digits", frameKind.answer, 1, answerOf(2_000, 0, "")],
    ["a result that is no JSON", frameKind.result, 1, "0000{"],
    ["a result that is nothing", frameKind.result, 1, "0000null"],
    ["a result of no kind", frameKind.result, 1, '0000{"kind":"elevated"}'],
    ["an end that is too short", frameKind.over, 1, "x"],
    ["a call that is none", frameKind.call, 0x8000_0000, Buffer.concat([u32(1), Buffer.from('"echo"')])],
    ["a call without arguments", frameKind.call, 0x8000_0000, Buffer.concat([u32(1), Buffer.from('["echo", 1]')])],
    ["a call of JSON that is none", frameKind.call, 0x8000_0000, Buffer.concat([u32(1), Buffer.from("[[[[")])],
    ["a request that is too short", frameKind.fetch, 0x8000_0000, u32(1)],
    [
      "a request without a URL",
      frameKind.fetch,
      0x8000_0000,
      Buffer.concat([u32(1), Buffer.from([0]), u32(3), Buffer.from("GET")]),
    ],
    [
      "a request whose head leads beyond it",
      frameKind.fetch,
      0x8000_0000,
      Buffer.concat([u32(1), Buffer.from([0]), u32(0xffff_ffff)]),
    ],
    ["a line that is none", frameKind.log, 1, "{}"],
    ["a line of a level that is none", frameKind.log, 1, '["id","fatal","m",1,{}]'],
    ["a line of a megabyte", frameKind.log, 1, JSON.stringify(["id", "info", "m".repeat(1_000_000), 1, {}])],
    ["a crash in no words", frameKind.crashed, 0, "7"],
    ["definitions that are none", frameKind.loaded, 0, '{"definitions": 7}'],
    ["a definition of no kind", frameKind.loaded, 0, loadedWith({ index: 0, kind: "root", options: {} })],
    ["a definition without options", frameKind.loaded, 0, loadedWith({ index: 0, kind: "http", options: null })],
    [
      "a definition with endless memory",
      frameKind.loaded,
      0,
      loadedWith({ index: 0, kind: "http", options: { memoryMb: "all" } }),
    ],
    ["a job without a name", frameKind.loaded, 0, loadedWith({ index: 0, kind: "job", options: {} })],
    [
      "a reaction to no list",
      frameKind.loaded,
      0,
      loadedWith({ index: 0, kind: "change", table: "t", operations: "insert", options: {} }),
    ],
    [
      "a webhook without a secret",
      frameKind.loaded,
      0,
      loadedWith({ index: 0, kind: "webhook", options: { provider: "stripe" } }),
    ],
  ];

  test.each(words)("%s", async (_, kind, number, payload) => {
    const { answer } = begin();
    line.send(kind, number, payload);
    const why = await line.ended();
    expect(why).not.toBe("");
    expect(why).not.toMatch(/undefined|Cannot read|not a function|not iterable/);
    expect(await settled(answer)).toBe(`ended: ${why}`);
    expect([line.loaded, called, fetched]).toEqual([[], [], []]);
  });

  test("lengths that nothing could have", async () => {
    for (const size of [frameLimitBytes * 2, 0xffff_ffff, 0, 4]) {
      line.socket.write(u32(size, 0));
      expect(await line.ended()).toContain(`${size} bytes`);
      line.socket.destroy();
      rmSync(join(folder, "s"), { force: true });
      line = await open();
    }
  });

  test("its line cut, and nobody waits for what it had", async () => {
    const { answer } = begin();
    line.socket.destroy();
    expect(await line.ended()).toContain("closed");
    expect(await settled(answer)).toContain("ended");
  });
});

describe("X24 numbers of invocations", () => {
  test("that it does not have give it nothing", async () => {
    const { answer } = begin();
    for (const number of [2, 3, 1_000, 0x7fff_ffff, 0xffff_ffff]) {
      line.send(frameKind.answer, number, answerOf(200, whole | mark, "", 0, "for somebody else"));
      line.send(frameKind.result, number, '0000{"kind":"done","result":1}');
      line.send(frameKind.over, number, u32(0));
      line.send(frameKind.log, number, '["somebody-else","error","forged",1,{}]');
      line.send(frameKind.call, 0x8000_0000, Buffer.concat([u32(number), Buffer.from('["echo",[1]]')]));
      line.send(
        frameKind.fetch,
        0x8000_0001,
        Buffer.concat([u32(number), Buffer.from([4]), u32(5), Buffer.from("GET\0/")]),
      );
      line.send(frameKind.returned, 0, u32(number));
    }
    line.send(frameKind.answer, 1, answerOf(200, whole | mark, "x-a\0b", 5, "mine"));
    expect(await answer).toMatchObject({ status: 200, headers: ["x-a", "b"] });
    expect([called, fetched, line.lines, line.returned]).toEqual([[], [], [], []]);
    expect(line.over).toHaveLength(1);
  });

  test("are what a line belongs to, whatever it says of itself, also when it comes late", async () => {
    const { answer } = begin("request-of-mine");
    line.send(frameKind.log, 1, '["request-of-another","error","forged",1,{}]');
    line.send(frameKind.answer, 1, answerOf(204, mark, ""));
    line.send(frameKind.log, 1, '["request-of-another","error","later",1,{}]');
    await answer;
    await expect.poll(() => line.lines.length).toBe(2);
    expect(line.lines.map(({ invocationId }) => invocationId)).toEqual(["request-of-mine", "request-of-mine"]);
  });

  test("are over with their answer: nothing is served in their name afterwards", async () => {
    const { answer } = begin();
    line.send(frameKind.answer, 1, answerOf(204, mark, ""));
    await answer;
    line.send(frameKind.call, 0x8000_0000, Buffer.concat([u32(1), Buffer.from('["echo",[1]]')]));
    const second = begin("second");
    line.send(frameKind.call, 0x8000_0001, Buffer.concat([u32(2), Buffer.from('["echo",[1]]')]));
    await expect.poll(() => called).toEqual(["second"]);
    line.send(frameKind.answer, 2, answerOf(204, mark, ""));
    await second.answer;
  });

  test("are answered once", async () => {
    const { answer } = begin();
    line.send(frameKind.answer, 1, answerOf(200, streams, ""));
    expect((await answer).status).toBe(200);
    line.send(frameKind.answer, 1, answerOf(200, streams, ""));
    expect(await line.ended()).toContain("twice");
    // Whoever reads the first is told that it ends.
    const { body } = await answer;
    await expect(async () => {
      for await (const _ of body as AsyncIterable<Buffer>);
    }).rejects.toThrow();
  });

  test("cannot be given back for ever", async () => {
    const { task } = begin();
    for (let i = 0; i < 200 && line.ends.length === 0; i++) {
      line.send(frameKind.returned, 0, u32(task.number));
      await expect.poll(() => line.returned.length > i || line.ends.length > 0, { interval: 1 }).toBe(true);
      if (line.ends.length === 0) line.thread.send(task);
    }
    expect(await line.ended()).toContain("begins nothing");
  });
});

describe("X23 floods", () => {
  test("of a body beyond what was asked for are not kept", async () => {
    const { answer } = begin();
    line.send(frameKind.answer, 1, answerOf(200, streams, ""));
    await answer;
    for (let i = 0; i <= streamWindowBytes / 65_536; i++) line.send(frameKind.data, 1, Buffer.alloc(65_536));
    expect(await line.ended()).toContain("than was asked for");
  });

  test("of pieces without bytes are not kept", async () => {
    const { answer } = begin();
    line.send(frameKind.answer, 1, answerOf(200, streams, ""));
    await answer;
    line.send(frameKind.data, 1);
    expect(await line.ended()).toContain("than was asked for");
  });

  test("of lines are counted, and those after the answer with them", async () => {
    const { answer } = begin();
    for (let i = 0; i < 50; i++) line.send(frameKind.log, 1, `["","info","${i}",1,{}]`);
    line.send(frameKind.answer, 1, answerOf(204, mark, ""));
    for (let i = 0; i < 50; i++) line.send(frameKind.log, 1, `["","info","${i}",1,{}]`);
    const second = begin();
    line.send(frameKind.answer, 2, answerOf(204, mark, ""));
    await answer;
    await second.answer;
    expect(line.lines).toHaveLength(11);
    expect(line.lines.at(-1)!.message).toContain("dropped");
  });

  test("of requests with bodies in nobody's name leave nothing behind, and each is told", async () => {
    const told = countReplies(line.socket);
    const head = Buffer.concat([u32(77), Buffer.from([streams]), u32(6), Buffer.from("POST\0/")]);
    for (let i = 0; i < 500; i++) line.send(frameKind.fetch, 0x8000_0000 + i, head);
    await expect.poll(() => told.get(frameKind.reply)).toBe(500);
    // Nobody reads them, and whoever sends them hears of it.
    expect(told.get(frameKind.stopped)).toBe(500);
    expect(fetched).toEqual([]);
  });

  test("of questions whose answers it does not read are not kept", async () => {
    begin();
    line.socket.pause();
    const ask = Buffer.concat([u32(1), Buffer.from('["large",[]]')]);
    for (let i = 0; i < 40; i++) line.send(frameKind.call, 0x8000_0000 + i, ask);
    expect(await line.ended()).toContain("does not read");
  });

  test("of credit for what it does not read are refused", async () => {
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) yield Buffer.alloc(65_536);
    }
    begin("mine", endless());
    line.send(frameKind.credit, 1, u32(0xffff_ffff));
    expect(await line.ended()).toContain("asked for than was taken");
  });
});

/** Kinds of what the server has sent. */
function countReplies(socket: Socket): Map<number, number> {
  const seen = new Map<number, number>();
  let held = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 4 && held.length >= held.readUInt32LE(0) + 4) {
      seen.set(held[4]!, (seen.get(held[4]!) ?? 0) + 1);
      held = held.subarray(held.readUInt32LE(0) + 4);
    }
  });
  return seen;
}
