import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Database, Queryable } from "../postgres/database.ts";
import { keyringStore, type OtherNode } from "./keyring-store.ts";
import { problems } from "./problems.ts";

/** How often a node says that it is here, and after how long in silence it is taken for gone, in ms. */
const beatMs = 15_000;
const goneMs = 45_000;
/** What is said of a node that has gone is kept for so long, to notice that keys were lost. In seconds. */
const keptSeconds = 30 * 86_400;
/** A rotation is on its way to all nodes for a moment: so often, and after so many ms, they are compared again. */
const looks = 4;
const lookAgainMs = 1_000;

/** Stands for keys where they themselves must not be seen. */
export interface KeysFingerprint {
  /** What signs and verifies tokens, and what other secrets are derived from. */
  readonly tokens: string;
  /** The keys that are no tokens. */
  readonly apiKeys: string;
}

/** This node among those of its database. */
export interface NodeRegistry {
  /** Its keys have changed. */
  announce(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Says with which keys this node works. Two nodes with different ones refuse each other's tokens, so the second does not start (threat
 * A04). Where only API keys differ, or the past does, that is a warning: apps may use none of those.
 * @param needs.fingerprint stands for the keys in force
 * @throws Problem `identity/keys-differ`
 */
export async function joinNodes(needs: {
  readonly db: Pick<Database, "query" | "background">;
  readonly fingerprint: () => KeysFingerprint;
  readonly warn: (message: string) => void;
}): Promise<NodeRegistry> {
  const { db, fingerprint, warn } = needs;
  const id = randomUUID();
  for (let look = 1; ; look++) {
    const { tokens, apiKeys } = fingerprint();
    const others = await keyringStore.otherNodes(db, id);
    const here = others.filter(({ seenSecondsAgo }) => seenSecondsAgo * 1000 < goneMs);
    if (here.every((other) => tokensOf(other) === tokens)) {
      if (here.some((other) => other.keysFingerprint !== `${tokens}.${apiKeys}`)) warn(apiKeysDiffer);
      if (others[0] !== undefined && tokensOf(others[0]) !== tokens) warn(keysWereOthers);
      break;
    }
    if (look === looks) throw problems.keysDiffer();
    await delay(lookAgainMs);
  }
  const announce = (to: Pick<Queryable, "query"> = db) => {
    const { tokens, apiKeys } = fingerprint();
    return keyringStore.announceNode(to, id, `${tokens}.${apiKeys}`);
  };
  await announce();
  await keyringStore.sweepNodes(db, keptSeconds);
  // While the database is away nobody looks.
  const beat = setInterval(() => void announce(db.background).catch(() => {}), beatMs).unref();
  return {
    announce: () => announce(),
    async close() {
      clearInterval(beat);
      await keyringStore.retireNode(db, id).catch(() => {});
    },
  };
}

const tokensOf = ({ keysFingerprint }: OtherNode): string => keysFingerprint.split(".", 1)[0]!;

const apiKeysDiffer =
  "Another server on this database has other API keys: an app's is accepted by one of them only. Set MAINSTAY_MASTER_KEY, or MAINSTAY_PUBLISHABLE_KEY and MAINSTAY_SECRET_KEY, on all of them.";
const keysWereOthers =
  "This database was last served with other keys: tokens and API keys given out then are refused now. Restore .mainstay/keys, or set MAINSTAY_MASTER_KEY to keep the keys in the database.";
