import { setTimeout as sleep } from "node:timers/promises";
import type { Channel } from "../types.ts";

/** What may wait for a socket before more of what is stored is put behind it, in bytes. */
const queuedBytes = 262_144;
/** How often one looks, and how long one waits at most, in ms: then the socket's own limit decides. */
const lookEveryMs = 10;
const patienceMs = 30_000;

/** Whether the client has taken most of what it was sent. */
export const isDrained = ({ socket }: Channel): boolean => socket.queuedBytes <= queuedBytes;

/** Waits for that: what is stored can wait, and a client that asks for much must not be cut for it. */
export async function untilDrained(channel: Channel): Promise<void> {
  const untilMs = performance.now() + patienceMs;
  while (channel.isOpen && !isDrained(channel) && performance.now() < untilMs) await sleep(lookEveryMs);
}
