import { describe, expect, it } from "vitest";
import type { Observation } from "../../../platform/observe/observation.ts";
import { decodeBatch, noSender } from "./codec.ts";
import { LogWriter } from "./log-writer.ts";
import type { Published } from "./published.ts";

interface Emitted {
  readonly content: Buffer;
  readonly isUrgent: boolean;
}

/** A log whose messages are read when the test says so. */
function openWriter(
  settings: { readonly alone?: boolean; readonly queueBytes?: number; readonly others?: number } = {},
) {
  const emitted: Emitted[] = [];
  const observations: Observation[] = [];
  const log = {
    isDown: false,
    writing: Promise.resolve() as Promise<void>,
    async emit(_prefix: string, content: Buffer, options: { readonly isUrgent?: boolean } = {}) {
      await log.writing;
      if (log.isDown) throw new Error("The database is away.");
      emitted.push({ content, isUrgent: options.isUrgent === true });
    },
  };
  const others = Array.from({ length: settings.others ?? 0 }, (_, at) => ({ id: `other-${at}` }));
  const writer = new LogWriter({
    log,
    nodes: { id: "me", others: () => others },
    settings: {
      realtimeBroadcastLoggedAlone: settings.alone ?? true,
      realtimeBroadcastLogQueueBytes: settings.queueBytes ?? 1_000_000,
    },
    observe: (observation) => observations.push(observation),
  });
  const numbers = (): number[] =>
    emitted.flatMap(({ content }) => {
      const { firstSequence, broadcasts } = decodeBatch(content)!;
      return broadcasts.map((_, at) => firstSequence + at);
    });
  return { writer, log, emitted, observations, numbers };
}

const message = (payload: Buffer | string = "{}"): Published => ({
  form: "text",
  room: "public:a",
  payload: Buffer.from(payload),
});
const write = (writer: LogWriter, count: number, payload?: Buffer): number[] =>
  Array.from({ length: count }, () => writer.append(noSender, message(payload)));

describe("writing broadcasts into the log", () => {
  it("puts what comes together into one message, and what comes meanwhile into the next", async () => {
    const { writer, emitted, numbers } = openWriter();
    expect(write(writer, 3)).toEqual([1, 2, 3]);
    await new Promise(setImmediate);
    write(writer, 2);
    await writer.stop();
    expect(numbers()).toEqual([1, 2, 3, 4, 5]);
    expect(emitted).toHaveLength(2);
    expect(emitted.every(({ isUrgent }) => !isUrgent)).toBe(true);
  });

  it("hurries when other nodes wait", async () => {
    const { writer, emitted } = openWriter({ others: 1 });
    write(writer, 1);
    await writer.stop();
    expect(emitted.map(({ isUrgent }) => isUrgent)).toEqual([true]);
  });

  it("copies what it is given: a frame's bytes are not ours to keep", async () => {
    const { writer, emitted } = openWriter();
    const payload = Buffer.from('"before"');
    writer.append(noSender, message(payload));
    payload.fill(0);
    await writer.stop();
    expect(decodeBatch(emitted[0]!.content)!.broadcasts[0]!.published.payload.toString()).not.toContain("\0");
  });

  it("writes nothing alone where that is not wanted, and counts on", async () => {
    const { writer, emitted } = openWriter({ alone: false });
    expect(write(writer, 2)).toEqual([1, 2]);
    await writer.stop();
    expect(emitted).toEqual([]);
  });

  it("cuts large groups into messages of bounded size", async () => {
    const { writer, emitted, numbers } = openWriter({ queueBytes: 10_000_000 });
    write(writer, 40, Buffer.alloc(50_000, "x"));
    await writer.stop();
    expect(numbers()).toEqual(Array.from({ length: 40 }, (_, at) => at + 1));
    expect(Math.max(...emitted.map(({ content }) => content.length))).toBeLessThan(270_000);
  });

  it("R12: keeps a bounded queue, says what that means, and numbers what follows rightly", async () => {
    const { writer, log, numbers, observations } = openWriter({ queueBytes: 1_000 });
    const { promise, resolve } = Promise.withResolvers<void>();
    log.writing = promise;
    write(writer, 3, Buffer.alloc(400));
    resolve();
    await writer.stop();
    write(writer, 1);
    await writer.stop();
    expect(numbers()).toEqual([1, 2, 4]);
    expect(observations).toMatchObject([{ kind: "warning", area: "realtime" }]);
  });

  it("goes on after the database was away, and reports that once", async () => {
    const { writer, log, numbers, observations } = openWriter();
    log.isDown = true;
    write(writer, 1);
    await writer.stop();
    write(writer, 1);
    await writer.stop();
    log.isDown = false;
    write(writer, 1);
    await writer.stop();
    expect(numbers()).toEqual([3]);
    expect(observations).toHaveLength(1);
  });

  it("is settled when the log has been read up to what was sent, hurrying it on", async () => {
    const { writer, emitted } = openWriter();
    await writer.settled();
    write(writer, 2);
    let isSettled = false;
    const settled = writer.settled().then(() => {
      isSettled = true;
    });
    await expect.poll(() => emitted.length).toBe(2);
    expect(emitted.map(({ isUrgent }) => isUrgent)).toEqual([false, true]);
    writer.seen(1);
    await new Promise(setImmediate);
    expect(isSettled).toBe(false);
    const hurrying = decodeBatch(emitted[1]!.content)!;
    writer.seen(hurrying.firstSequence + hurrying.broadcasts.length - 1);
    await settled;
    expect(isSettled).toBe(true);
  });

  it("goes on after somebody wanted to be settled before what was sent was on its way", async () => {
    const { writer, numbers } = openWriter();
    write(writer, 1);
    const settled = writer.settled();
    await new Promise(setImmediate);
    writer.seen(1);
    await settled;
    write(writer, 1);
    await expect.poll(numbers).toEqual([1, 2]);
  });

  it("says when all that was sent is in the log, and waits for nothing that came later", async () => {
    const { writer, log, numbers } = openWriter();
    await writer.written();
    const { promise, resolve } = Promise.withResolvers<void>();
    log.writing = promise;
    write(writer, 2);
    const written = writer.written().then(() => numbers());
    resolve();
    expect(await written).toEqual([1, 2]);
    log.isDown = true;
    write(writer, 1);
    await writer.written();
    expect(numbers()).toEqual([1, 2]);
  });
});
