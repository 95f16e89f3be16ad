import { setTimeout as delay } from "node:timers/promises";
import type { NodeRegistry } from "../nodes/types.ts";
import { problems } from "./problems.ts";

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

/**
 * Makes sure that the nodes there are have the same keys, and says ours. Two nodes with different ones refuse each other's tokens, so
 * the second does not start (threat A04). Where only API keys differ, or the past does, that is a warning: apps may use none of those.
 * @param needs.fingerprint stands for the keys in force
 * @returns says them again, when they have changed
 * @throws Problem `identity/keys-differ`
 */
export async function compareKeys(needs: {
  readonly nodes: Pick<NodeRegistry, "keysOfOthers" | "announceKeys">;
  readonly fingerprint: () => KeysFingerprint;
  readonly warn: (message: string) => void;
}): Promise<() => Promise<void>> {
  const { nodes, fingerprint, warn } = needs;
  for (let look = 1; ; look++) {
    const { tokens, apiKeys } = fingerprint();
    const others = await nodes.keysOfOthers();
    const here = others.filter(({ isHere }) => isHere);
    if (here.every((other) => tokensOf(other.fingerprint) === tokens)) {
      if (here.some((other) => other.fingerprint !== `${tokens}.${apiKeys}`)) warn(apiKeysDiffer);
      if (others[0] !== undefined && tokensOf(others[0].fingerprint) !== tokens) warn(keysWereOthers);
      break;
    }
    if (look === looks) throw problems.keysDiffer();
    await delay(lookAgainMs);
  }
  const announce = () => {
    const { tokens, apiKeys } = fingerprint();
    return nodes.announceKeys(`${tokens}.${apiKeys}`);
  };
  await announce();
  return announce;
}

const tokensOf = (fingerprint: string): string => fingerprint.split(".", 1)[0]!;

const apiKeysDiffer =
  "Another server on this database has other API keys: an app's is accepted by one of them only. Set MAINSTAY_MASTER_KEY, or MAINSTAY_PUBLISHABLE_KEY and MAINSTAY_SECRET_KEY, on all of them.";
const keysWereOthers =
  "This database was last served with other keys: tokens and API keys given out then are refused now. Restore .mainstay/keys, or set MAINSTAY_MASTER_KEY to keep the keys in the database.";
