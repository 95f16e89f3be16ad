import { setTimeout as after, setImmediate as nextTurn } from "node:timers/promises";
import type { LogEntry } from "../../../kernel/change.ts";
import type { Channel, Replayer } from "../types.ts";

/** Entries that are looked through in one go; in between others get their turn. */
const entriesPerRun = 64;
/** Entries that are prepared for together. */
const entriesPerChunk = 1_024;
/** How soon a full queue is looked at again, in ms. */
const queueLookMs = 5;

export interface ReplayLimits {
  readonly queueBytes: number;
  readonly timeoutMs: number;
}

/**
 * Sends of these entries what the channel missed, in the order of the log whoever has to send it, and no faster than the client reads.
 * @returns false when the client took too long: then something is missing
 */
export async function replayEntries(
  channel: Channel,
  entries: Iterable<LogEntry>,
  replayers: readonly Replayer[],
  limits: ReplayLimits,
  formerSocketId: string | null,
): Promise<boolean> {
  const untilMs = performance.now() + limits.timeoutMs;
  for (const chunk of chunksOf(entries)) {
    for (const replayer of replayers) await replayer.prepare?.(channel, chunk);
    if (!(await sendRuns(chunk))) return false;
  }
  return true;

  async function sendRuns(chunk: readonly LogEntry[]): Promise<boolean> {
    for (const run of runsOf(chunk)) {
      for (const replayer of replayers) {
        if (!channel.isOpen) return true;
        await replayer.replay(channel, run, formerSocketId);
      }
      while (channel.isOpen && channel.socket.queuedBytes > limits.queueBytes) {
        if (performance.now() > untilMs) return false;
        await after(queueLookMs);
      }
      await nextTurn();
    }
    return true;
  }
}

function* chunksOf(entries: Iterable<LogEntry>): Iterable<readonly LogEntry[]> {
  let chunk: LogEntry[] = [];
  for (const entry of entries) {
    chunk.push(entry);
    if (chunk.length < entriesPerChunk) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/**
 * Neighbours of one kind, which one replayer alone has something to say of: so what several send stays in the order of the log, without
 * asking all of them about every single entry. Messages sent from SQL are rows, and broadcasts: each such transaction is a run of its own.
 */
export function* runsOf(entries: Iterable<LogEntry>): Iterable<readonly LogEntry[]> {
  let run: LogEntry[] = [];
  let kind: "message" | "rows" | "both" | null = null;
  for (const entry of entries) {
    const own = kindOf(entry);
    if (run.length > 0 && (own !== kind || own === "both" || run.length >= entriesPerRun)) {
      yield run;
      run = [];
    }
    kind = own;
    run.push(entry);
  }
  if (run.length > 0) yield run;
}

function kindOf(entry: LogEntry): "message" | "rows" | "both" {
  if (entry.kind === "message") return "message";
  return entry.changes.some(({ relation }) => relation.schema === "realtime") ? "both" : "rows";
}

/** How much looking through these entries is. */
export function changesIn(entries: Iterable<LogEntry>, limit: number): number {
  let changes = 0;
  for (const entry of entries) {
    changes += entry.kind === "batch" ? entry.changes.length : 1;
    if (changes > limit) return changes;
  }
  return changes;
}
