import { randomBytes, randomUUID } from "node:crypto";
import { createSeal } from "../../kernel/seal.ts";
import type { Values } from "../../kernel/settings.ts";
import type { Observe } from "../observe/observation.ts";
import type { Database } from "../postgres/database.ts";
import type { StopListening } from "../postgres/listener.ts";
import type { outboxSettings } from "./settings.ts";
import { outboxNews, outboxStore } from "./store.ts";
import type { Channel, Outbox } from "./types.ts";
import { ChannelWorker } from "./worker.ts";

export { DeliveryError, type DeliveryErrorOptions } from "./delivery-error.ts";
export { outboxSettings } from "./settings.ts";
export type { Channel, Delivery, Outbox } from "./types.ts";

export interface OutboxNeeds {
  readonly db: Database;
  /** 32 secret bytes, the same on every node: `signer.deriveKey("outbox")`. */
  readonly key: Buffer;
  readonly settings: Values<typeof outboxSettings>;
  readonly observe: Observe;
}

/** What nobody served is swept so often, in ms, once its time is over. */
const sweepMs = 3_600_000;
/** How long a stop waits for deliveries under way, in ms. */
const stopPatienceMs = 5_000;
/** What a mail with a user in it weighs, sealed. */
const decoyBytes = { least: 900, spread: 600 };

/** The durable queue to the outside (table `mainstay.outbox`). Starts nothing until `start`. */
export function createOutbox({ db, key, settings, observe }: OutboxNeeds): Outbox {
  const seal = createSeal(key);
  const workers = new Map<string, ChannelWorker>();
  let stopListening: StopListening | null = null;
  let sweeps: NodeJS.Timeout | null = null;

  const keep = async (tx: Parameters<Outbox["put"]>[0], channel: string, text: string, lifetimeSeconds: number) => {
    const id = randomUUID();
    const payload = seal.close(text, contextOf({ id, channel }));
    await outboxStore.put(tx, { id, channel, payload, lifetimeMs: lifetimeSeconds * 1_000 });
    return id;
  };

  return {
    put: (tx, channel, message, options) =>
      keep(
        tx,
        channel,
        JSON.stringify({ message }),
        Math.min(options?.lifetimeSeconds ?? settings.outboxMaxAgeSeconds, settings.outboxMaxAgeSeconds),
      ),
    async decoy(tx, channel) {
      const bytes = decoyBytes.least + Math.floor(Math.random() * decoyBytes.spread);
      await keep(tx, channel, JSON.stringify({ decoy: randomBytes(bytes / 2).toString("hex") }), 60);
    },
    serve<Message>(channel: Channel<Message>) {
      if (workers.has(channel.name)) throw new Error(`The outbox has a channel "${channel.name}" already.`);
      // What comes out of the table is what `put` took for this channel.
      const untyped = channel as Channel<unknown>;
      workers.set(
        channel.name,
        new ChannelWorker(untyped, {
          db,
          settings,
          observe,
          read(row) {
            const content = JSON.parse(seal.open(row.payload, contextOf(row))) as { message?: unknown; decoy?: string };
            return { message: content.message, isDecoy: content.decoy !== undefined };
          },
        }),
      );
    },
    async start() {
      if (workers.size === 0) return;
      stopListening = await db.listen([outboxNews], (channel) => {
        if (channel !== null) return workers.get(channel)?.wake();
        for (const worker of workers.values()) worker.wake();
      });
      for (const worker of workers.values()) worker.start();
      sweeps = setInterval(() => outboxStore.sweep(db.background).catch(() => {}), sweepMs);
      sweeps.unref();
    },
    async stop(signal) {
      const patience = AbortSignal.timeout(stopPatienceMs);
      const hurry = signal === undefined ? patience : AbortSignal.any([signal, patience]);
      if (sweeps !== null) clearInterval(sweeps);
      await stopListening?.();
      stopListening = null;
      await Promise.all([...workers.values()].map((worker) => worker.stop(hurry)));
    },
  };
}

/** Binds the bytes to their row. */
const contextOf = ({ id, channel }: { readonly id: string; readonly channel: string }): string => `${channel}/${id}`;
