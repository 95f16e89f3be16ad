import { createHash, randomBytes } from "node:crypto";
import { setTimeout as after } from "node:timers/promises";
import { expect } from "vitest";
import { fraction, seed } from "../random.ts";
import { type Files, type Outcome, outcomeOfS3 } from "./files.ts";

export interface Storm {
  /** At one server or at several: each writer stays at one. */
  readonly files: Files | readonly Files[];
  readonly writers: number;
  /** Writes to be acknowledged, of all writers together. */
  readonly writes: number;
  /** How often something happens meanwhile. */
  readonly disturbances: number;
  /** Resolves when it is over. */
  disturb(): Promise<void>;
}

/** What a write makes of some names: bytes, or nothing. */
type Change = ReadonlyMap<string, Buffer | null>;

const namesOfWriter = 6;
const mostTries = 400;
const pick = <T>(all: readonly T[]): T => all[Math.floor(fraction() * all.length)]!;
const someBytes = (): Buffer => randomBytes(Math.floor(fraction() < 0.7 ? fraction() * 20_000 : fraction() * 300_000));
const hashOf = (bytes: Buffer): string => createHash("sha1").update(bytes).digest("base64");

/**
 * Writers, each with names of its own, write by every way at once while something happens again and again. Each keeps outside what was acknowledged. What
 * was not is looked at: it has happened, or it has not, and nothing in between. Whoever reads meanwhile sees what somebody wrote, whole.
 * @returns what has to be there now, by name
 */
export async function storm({
  files: given,
  writers,
  writes,
  disturbances,
  disturb,
}: Storm): Promise<ReadonlyMap<string, Buffer>> {
  const places = [given].flat();
  const kept = new Map<string, Buffer>();
  const everWritten = new Set<string>();
  const acknowledged: Record<string, number> = {};
  const unknown: Record<string, number> = {};
  let done = 0;
  let isOver = false;
  const unanswered = (): number => Object.values(unknown).reduce((sum, count) => sum + count, 0);

  const writer = async (number: number): Promise<void> => {
    const files = places[number % places.length]!;
    const names = Array.from({ length: namesOfWriter }, (_, at) => `writer-${number}-${at}`);
    while (done < writes || !isOver) {
      const { kind, change, run } = nextWrite(files, names, kept);
      for (const bytes of change.values()) if (bytes !== null) everWritten.add(hashOf(bytes));
      const result = await run();
      expect(result, `${kind} of ${[...change.keys()].join(" and ")}, seed ${seed}`).not.toBe("refused");
      const hasHappened = result === "done" || (await settled(files, change, kept, kind));
      const counts = result === "done" ? acknowledged : unknown;
      counts[kind] = (counts[kind] ?? 0) + 1;
      if (!hasHappened) continue;
      done++;
      for (const [name, bytes] of change) bytes === null ? kept.delete(name) : kept.set(name, bytes);
    }
  };

  const reader = async (): Promise<void> => {
    while (!isOver) {
      const name = `writer-${Math.floor(fraction() * writers)}-${Math.floor(fraction() * namesOfWriter)}`;
      const bytes = await pick(places)
        .read(name)
        .catch(() => null);
      if (bytes !== null) expect(everWritten, `half of ${name} is visible, seed ${seed}`).toContain(hashOf(bytes));
      await after(10);
    }
  };

  const happenings = async (): Promise<void> => {
    // What happens between two writes cuts off none: then it happens again.
    for (let time = 1; time <= disturbances || (unanswered() === 0 && time <= 4 * disturbances); time++) {
      while (done < (writes * Math.min(time, disturbances)) / (disturbances + 1)) await after(5);
      await after(fraction() * 60);
      await disturb();
    }
    isOver = true;
  };

  await Promise.all([...Array.from({ length: writers }, (_, number) => writer(number)), reader(), happenings()]);
  for (const kind of kinds) expect(acknowledged[kind] ?? 0, `acknowledged: ${kind}, seed ${seed}`).toBeGreaterThan(0);
  expect(unanswered(), "nothing was cut off by what happened").toBeGreaterThan(0);
  return kept;
}

/** Everything that has to be there is, by every byte, and nothing else. */
export async function isAllThere(files: Files, kept: ReadonlyMap<string, Buffer>): Promise<void> {
  expect((await files.names()).sort()).toEqual([...kept.keys()].sort());
  for (const [name, bytes] of kept) expect((await files.read(name))?.equals(bytes), `${name}, seed ${seed}`).toBe(true);
}

const kinds = [
  "create",
  "upsert",
  "form",
  "resumable",
  "s3",
  "multipart",
  "move",
  "copy",
  "remove",
  "remove many",
] as const;

interface Write {
  readonly kind: (typeof kinds)[number];
  readonly change: Change;
  run(): Promise<Outcome>;
}

function nextWrite(files: Files, names: readonly string[], kept: ReadonlyMap<string, Buffer>): Write {
  const there = names.filter((name) => kept.has(name));
  const absent = names.filter((name) => !kept.has(name));
  for (;;) {
    const kind = pick(kinds);
    const name = pick(names);
    const bytes = someBytes();
    const written: Change = new Map([[name, bytes]]);
    switch (kind) {
      case "create": {
        if (absent.length === 0) continue;
        const fresh = pick(absent);
        return { kind, change: new Map([[fresh, bytes]]), run: () => files.plain(fresh, bytes) };
      }
      case "upsert":
        return { kind, change: written, run: () => files.plain(name, bytes, true) };
      case "form":
        return { kind, change: written, run: () => files.form(name, bytes, true) };
      case "resumable":
        return { kind, change: written, run: () => resumable(files, name, bytes) };
      case "s3":
        return { kind, change: written, run: () => files.putS3(name, bytes) };
      case "multipart":
        return { kind, change: written, run: () => multipart(files, name, bytes) };
      case "move":
      case "copy": {
        if (there.length === 0 || absent.length === 0) continue;
        const [from, to] = [pick(there), kind === "move" ? pick(absent) : name];
        if (from === to) continue;
        const change = new Map<string, Buffer | null>([[to, kept.get(from)!]]);
        if (kind === "move") change.set(from, null);
        return { kind, change, run: () => files[kind](from, to) };
      }
      case "remove":
      case "remove many": {
        if (there.length < 3) continue;
        const gone = kind === "remove" ? [pick(there)] : there.slice(0, 2);
        const change = new Map(gone.map((each) => [each, null]));
        return { kind, change, run: () => (kind === "remove" ? files.remove(gone[0]!) : files.removeMany(gone)) };
      }
    }
  }
}

/** Whether a write has happened that nobody answered. @throws when it has in part */
async function settled(
  files: Files,
  change: Change,
  kept: ReadonlyMap<string, Buffer>,
  kind: string,
): Promise<boolean> {
  const verdicts: string[] = [];
  for (const [name, bytes] of change) {
    const found = await untilAnswered(() => files.read(name));
    if (isSame(found, bytes)) verdicts.push("happened");
    else verdicts.push(isSame(found, kept.get(name) ?? null) ? "not" : `neither: ${found?.length ?? "nothing"}`);
  }
  // Several names are given to be removed at once, and go together.
  expect(new Set(verdicts).size, `${kind}: ${verdicts.join(", ")}, seed ${seed}`).toBe(1);
  expect(["happened", "not"], `${kind}, seed ${seed}`).toContain(verdicts[0]);
  return verdicts[0] === "happened";
}

const isSame = (one: Buffer | null, other: Buffer | null): boolean =>
  one === null || other === null ? one === other : one.equals(other);

/** Asks until there is an answer, as apps do. */
async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (tries >= mostTries) throw error;
      await after(100);
    }
  }
}

/** A resumable upload as clients do it: after every failure they ask how far it is, and go on from there. */
async function resumable(files: Files, name: string, bytes: Buffer): Promise<Outcome> {
  const url = await untilAnswered(() => files.beginResumable(name, bytes.length));
  const pieceBytes = Math.ceil(bytes.length / 3);
  let offset = 0;
  for (let isFirst = true; isFirst || offset < bytes.length; isFirst = false) {
    const to = Math.min(offset + pieceBytes, bytes.length);
    const [came, status] = await files.patch(url, offset, bytes.subarray(offset, to)).catch(() => [-1, 0] as const);
    if (status === 204) {
      expect(came).toBe(to);
      offset = to;
      continue;
    }
    const found = await untilAnswered(() => files.offset(url));
    // Forgotten with its end, or soon after.
    if (found === null && to === bytes.length) return "unknown";
    expect(found, `what was acknowledged of ${name} is missing, seed ${seed}`).toBeGreaterThanOrEqual(offset);
    expect(found).toBeLessThanOrEqual(to);
    offset = found!;
    await after(50);
  }
  return "done";
}

async function multipart(files: Files, name: string, bytes: Buffer): Promise<Outcome> {
  const uploadId = await untilAnswered(() => files.beginS3(name));
  const middle = Math.ceil(bytes.length / 2);
  const etags: string[] = [];
  for (const part of [bytes.subarray(0, middle), bytes.subarray(middle)]) {
    etags.push(await untilAnswered(() => files.partS3(name, uploadId, etags.length + 1, part)));
  }
  return outcomeOfS3(files.completeS3(name, uploadId, etags));
}
