import { createHmac } from "node:crypto";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext } from "../context.ts";
import { type EntryText, type Seal, type Sealed, sealStore } from "./seal-store.ts";

/** Entries in one seal, at most. */
const batch = 1_000;
/** Seals read at once while checking. */
const sealsPerRead = 20;
/** Faults of a kind that are listed, at most. */
const faultsMax = 100;

/** What is wrong with the log. */
export type Fault =
  /** The entry is not what was sealed. */
  | { readonly kind: "changed"; readonly entry: string }
  /** The entry is gone, and not old enough to be. */
  | { readonly kind: "removed"; readonly entry: string }
  /** The entry says it was written long before the last seal, and no seal has it. */
  | { readonly kind: "added"; readonly entry: string }
  /** The seal is not this server's, or others before it are gone. */
  | { readonly kind: "broken"; readonly seal: number }
  /** The head that was given is not in the chain. */
  | { readonly kind: "cut"; readonly seal: number };

export interface Verdict {
  readonly seals: number;
  readonly entries: number;
  /** Entries that wait for their seal. */
  readonly pending: number;
  /** The newest seal; kept elsewhere it shows later that nothing of the chain's end was taken away. `""` for none. */
  readonly head: string;
  readonly faults: readonly Fault[];
}

type Needs = Pick<AuthContext, "signer">;
type Kind = Seal["kind"];

/**
 * Seals what nobody has sealed yet (threat X21). Whoever writes an entry waits for nothing: entries are sealed afterwards, in the order
 * they were written in as far as they can be seen. Any number of nodes may do it.
 * @returns how many entries were sealed
 */
export async function sealDue({ db, signer }: Needs & Pick<AuthContext, "db">): Promise<number> {
  for (let sealed = 0; ; ) {
    const count = await db.transaction(async (tx) => {
      if (!(await sealStore.tryLock(tx))) return 0;
      const entries = await sealStore.unsealed(tx, batch);
      if (entries.length > 0) await append({ signer }, tx, "entries", "", entries);
      return entries.length;
    });
    sealed += count;
    if (count < batch) return sealed;
  }
}

/**
 * Runs `erase`, which takes a person out of their entries, and seals those anew under a note of it. Entries that were not what their
 * seals say before are not: an erasure hides no other change.
 */
export async function resealErased<T>(
  needs: Needs,
  tx: Queryable,
  person: { readonly userId: string; readonly pseudonym: string },
  erase: () => Promise<T>,
): Promise<T> {
  // Before anything is read: what is sealed meanwhile would be sealed with the person in it.
  await sealStore.lock(tx);
  const key = keyOf(needs);
  const intact = (await sealStore.about(tx, person.userId)).filter((entry) => digestOf(key, entry) === entry.digest);
  const erased = await erase();
  const entries = await sealStore.byId(
    tx,
    intact.map(({ id }) => id),
  );
  if (entries.length > 0) await append(needs, tx, "erasure", person.pseudonym, entries);
  return erased;
}

/**
 * Checks the whole log against its seals. Finds what anybody without the server's keys has changed, removed or put in before the last
 * seal. That the newest seals were taken away together with their entries is found only with `head`, kept elsewhere.
 * @param head as an earlier verdict has it, or `""`
 */
export async function verifySeals({ db, signer }: Needs & Pick<AuthContext, "db">, head: string): Promise<Verdict> {
  const key = keyOf({ signer });
  const faults: Fault[] = [];
  const note = (fault: Fault) => {
    if (faults.filter(({ kind }) => kind === fault.kind).length < faultsMax) faults.push(fault);
  };
  let [seals, entries] = [0, 0];
  let last: Seal | null = null;
  let hasHead = head === "";
  for (;;) {
    const read = await sealStore.after(db, last?.number ?? 0, sealsPerRead);
    const [first, end] = [read[0], read.at(-1)];
    if (first === undefined || end === undefined) break;
    const found = Map.groupBy(await sealStore.found(db, first.number, end.number), ({ sealNumber }) => sealNumber);
    for (const seal of read) {
      const members = found.get(seal.number) ?? [];
      const follows: boolean =
        last === null ? seal.mayBegin : seal.number === last.number + 1 && seal.previous === last.seal;
      if (!follows || seal.seal !== sealOf(key, seal, members)) note({ kind: "broken", seal: seal.number });
      for (const { id, digest, entry, isLatest, isOver } of members) {
        if (!isLatest) continue;
        entries += 1;
        if (entry === null && !isOver) note({ kind: "removed", entry: id });
        if (entry !== null && digestOf(key, entry) !== digest) note({ kind: "changed", entry: id });
      }
      seals += 1;
      hasHead ||= headOf(seal) === head;
      last = seal;
    }
  }
  const { pending, added } = await sealStore.outside(db, faultsMax);
  for (const entry of added) note({ kind: "added", entry });
  if (!hasHead) note({ kind: "cut", seal: Number.parseInt(head, 10) || 0 });
  return { seals, entries, pending, head: last === null ? "" : headOf(last), faults };
}

async function append(
  needs: Needs,
  tx: Queryable,
  kind: Kind,
  note: string,
  entries: readonly EntryText[],
): Promise<void> {
  const key = keyOf(needs);
  const last = await sealStore.last(tx);
  const sealed = entries.map((entry) => ({ id: entry.id, writtenAt: entry.writtenAt, digest: digestOf(key, entry) }));
  const next = {
    number: (last?.number ?? 0) + 1,
    kind,
    sealedAt: await sealStore.now(tx),
    note,
    previous: last?.seal ?? "",
  };
  await sealStore.add(tx, { ...next, seal: sealOf(key, next, sealed) }, sealed);
}

const keyOf = ({ signer }: Needs): Buffer => signer.deriveKey("auth/audit-seals");
const headOf = ({ number, seal }: Seal): string => `${number}:${seal}`;

// JSON of a list of texts: no two different lists look alike.
const hmac = (key: Buffer, parts: readonly unknown[]): string =>
  createHmac("sha256", key).update(JSON.stringify(parts)).digest("hex");

const digestOf = (key: Buffer, { id, instanceId, payload, writtenAt, ipAddress }: EntryText): string =>
  hmac(key, ["entry", id, instanceId, payload, writtenAt, ipAddress]);

const sealOf = (key: Buffer, seal: Omit<Seal, "seal">, entries: readonly Sealed[]): string =>
  hmac(key, [
    "seal",
    seal.number,
    seal.kind,
    seal.sealedAt,
    seal.note,
    seal.previous,
    entries.map(({ id, writtenAt, digest }) => [id, writtenAt, digest]),
  ]);
