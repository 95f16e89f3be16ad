import { connect } from "node:net";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import type { Definition } from "@mainstay/functions/definition";
import { FrameReader } from "../channel/frame-reader.ts";
import { FrameWriter } from "../channel/frame-writer.ts";
import { frameKind, frameLimitBytes } from "../channel/kinds.ts";
import { type Loaded, sharedSlot, type ThreadStart, type Thrown } from "../channel/messages.ts";
import { Streams } from "../channel/streams.ts";
import type { DefinitionSummary } from "../types.ts";
import { Asking } from "./asking.ts";
import { Loop } from "./loop.ts";
import type { ThreadModule, World } from "./wire.ts";
import * as functionWorld from "./world.ts";

/**
 * One thread: it connects, is told its function, loads that one's module, and runs handlers until it is ended. What stands here must be had before the world is
 * prepared, since that takes things away.
 */
const world: World = functionWorld;
const { start, shared, unsent } = workerData as {
  readonly start: ThreadStart;
  readonly shared: SharedArrayBuffer;
  readonly unsent: SharedArrayBuffer;
};
const { init } = start;
const exit = process.exit.bind(process);
const clock = process.threadCpuUsage.bind(process);
const beat = new Int32Array(shared);

const socket = connect(start.socketPath);
const writer = new FrameWriter(socket, { bytes: unsent, size: beat, slot: sharedSlot.unsent });
let isFlushDue = false;
/** Once for all that is written in this turn of the loop. */
const flush = (): void => {
  if (isFlushDue) return;
  isFlushDue = true;
  setImmediate(flushNow);
};
const flushNow = (): void => {
  isFlushDue = false;
  writer.flush();
};
const streams = new Streams(writer, flush);
const asking = new Asking(writer, streams, init.limits, flush);
const loop = new Loop({
  world,
  writer,
  streams,
  asking,
  flush,
  flushNow,
  onBegin: (number) => Atomics.store(beat, sharedSlot.begun, number | 0),
  cpuMicros: start.measuresCpu
    ? () => {
        const { user, system } = clock();
        return user + system;
      }
    : () => 0,
});

const reader = new FrameReader(frameLimitBytes + 1024, (kind, number, bytes, from, to) => {
  if (loop.take(kind, number, bytes, from, to)) return;
  if (streams.take(kind, number, bytes, from, to)) return;
  asking.take(kind, number, bytes, from, to);
});
socket.on("data", (chunk: Buffer) => {
  reader.push(chunk);
  loop.pump();
});
// Without the server there is nobody to work for.
socket.on("error", () => exit(1));
socket.on("close", () => exit(1));
const told = Promise.withResolvers<ThreadModule>();
if (start.module !== null) told.resolve(start.module);
parentPort!.on("message", (said: number | ThreadModule) => {
  // The main thread looks whether this one still gets to the end of what it does.
  if (typeof said === "number") Atomics.store(beat, sharedSlot.seen, said);
  else told.resolve(said);
});

const crash = (error: unknown): void => {
  writer
    .begin(frameKind.crashed, 0)
    .text(JSON.stringify(thrownOf(error)))
    .end();
  writer.flush();
  // The server ends it; should nobody be there to do so, it ends itself.
  setTimeout(() => exit(1), 1_000);
};
process.on("uncaughtException", crash);
process.on("unhandledRejection", crash);

writer.begin(frameKind.hello, 0).text(start.token).end();
writer.flush();
say(await load());

async function load(): Promise<Loaded> {
  try {
    world.prepareWorld(init);
    // All up to here is the same for all functions, and may have been done before anybody knew which.
    const { bundle, functionName } = await told.promise;
    loop.functionName = functionName;
    const definitions = world.handlersOf(await import(pathToFileURL(bundle).href));
    loop.definitions = definitions;
    return { definitions: definitions.map(summaryOf) };
  } catch (error) {
    return { thrown: thrownOf(error) };
  }
}

function say(loaded: Loaded): void {
  Atomics.store(beat, sharedSlot.loaded, 1);
  writer.begin(frameKind.loaded, 0).text(JSON.stringify(loaded)).end();
  writer.flush();
}

function summaryOf(definition: Definition, index: number): DefinitionSummary {
  const { handler: _, ...said } = definition;
  return { ...said, index };
}

function thrownOf(error: unknown): Thrown {
  return error instanceof Error
    ? { name: error.name, message: error.message, stack: error.stack ?? null }
    : { name: "Error", message: String(error), stack: null };
}
