import type { Answer, Order } from "./crowd-messages.ts";
import { type Join, joinText, numberOfBroadcast, numberOfRow, saidOf } from "./phoenix.ts";
import { RoundRunner } from "./rounds.ts";
import { type LightSocket, openSocket } from "./websocket.ts";

/** Many clients in one process of their own. Started by `startCrowd`, told what to do over its IPC channel. */

/** Handshakes and joins under way at a time: a listening socket's queue is finite. */
const atOnce = 100;

let sockets: LightSocket[] = [];
let runner: RoundRunner | null = null;
let nextNumber = 1;
let rows = 0;
let rowsWanted: { readonly count: number; readonly resolve: () => void } | null = null;
/** Of each socket, what waits for its joins. */
let joining: ((said: "joined" | "refused" | "subscribed" | "failed") => void)[] = [];

function frame(at: number, opcode: number, body: Buffer): void {
  if (opcode === 2) runner?.arrived(numberOfBroadcast(body), performance.now());
  else if (opcode === 1) textFrame(at, body);
}

function textFrame(at: number, body: Buffer): void {
  const said = saidOf(body);
  if (said === "other") return;
  if (said !== "row") return joining[at]?.(said);
  rows++;
  runner?.arrived(numberOfRow(body), performance.now());
  if (rowsWanted !== null && rows >= rowsWanted.count) rowsWanted.resolve();
}

async function connect({ port, paths, count }: Extract<Order, { kind: "connect" }>): Promise<void> {
  const first = sockets.length;
  sockets.length += count;
  await inParallel(count, async (i) => {
    const at = first + i;
    sockets[at] = await openSocket({
      port,
      path: paths[i % paths.length]!,
      onFrame: (opcode, body) => frame(at, opcode, body),
      onLost: () => answer({ failed: `Socket ${at} was closed by the server.` }),
    });
  });
}

async function join(joins: readonly Join[]): Promise<void> {
  // One at a time on each socket, so that answers need no numbers.
  const ofSocket = sockets.map((_, at) => joins.filter((_, i) => i % sockets.length === at));
  await inParallel(sockets.length, async (at) => {
    for (const [ref, one] of ofSocket[at]!.entries()) await joinOne(at, ref + 1, one);
  });
}

function joinOne(at: number, ref: number, one: Join): Promise<void> {
  return new Promise((resolve, reject) => {
    joining[at] = (said) => {
      if (said === "refused" || said === "failed") reject(new Error(`${one.topic} was ${said}.`));
      else if (said === (one.rows === undefined ? "joined" : "subscribed")) resolve();
    };
    sockets[at]!.send(1, joinText(ref, one));
  });
}

async function inParallel(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(atOnce, count) }, async () => {
      while (next < count) await work(next++);
    }),
  );
}

async function awaitRows(count: number): Promise<void> {
  if (rows < count) {
    await new Promise<void>((resolve) => {
      rowsWanted = { count, resolve };
    });
  }
  rowsWanted = null;
  rows = 0;
}

async function obey(order: Order): Promise<Answer> {
  const begun = performance.now();
  switch (order.kind) {
    case "connect":
      await connect(order);
      break;
    case "join":
      await join(order.joins);
      break;
    case "await-rows":
      await awaitRows(order.count);
      break;
    case "close":
      for (const socket of sockets) socket.close();
      sockets = [];
      joining = [];
      break;
    case "rounds": {
      runner = new RoundRunner(sockets, order, nextNumber);
      const rounds = await runner.run();
      nextNumber = runner.next;
      runner = null;
      rows = 0;
      return { rounds };
    }
  }
  const now = performance.now();
  return { ms: now - begun, atMs: performance.timeOrigin + now };
}

function answer(message: Answer): void {
  process.send!(message);
}

process.on("message", (order: Order) => {
  obey(order).then(answer, (error: Error) => answer({ failed: error.message }));
});
// Without its parent it has nobody to answer to.
process.on("disconnect", () => process.exit());
