import { createHmac, timingSafeEqual } from "node:crypto";
import type { Observe } from "../observe/observation.ts";
import { schemaChangePrefix } from "./transactions.ts";

/** Messages whose prefix begins so are for the server alone. */
const ownPrefix = "mainstay.";
/** HMAC-SHA-256 (RFC 2104), whole. */
const macBytes = 32;
/** Forgeries are reported this often, in ms: whoever writes one may write thousands. */
const reportEveryMs = 60_000;

/**
 * Proves that the server's own messages in the log are the server's: every role may write into the log (`pg_logical_emit_message`), and
 * what stands there as a broadcast is on channels that its writer may have no right to. A message that is copied passes, but to read the
 * log takes a role for replication. News of the schema are written by triggers, which have no key, but a word that nobody else can read.
 */
export class OwnMessages {
  readonly #key: Buffer;
  readonly #observe: Observe;
  readonly #nowMs: () => number;
  /** That news of the schema come with; `null`: whoever says that it has changed is believed. */
  schemaWord: string | null = null;
  #refused = 0;
  #reportedAtMs = Number.NEGATIVE_INFINITY;

  /** @param needs.key the same on all nodes of a database, and nobody else's */
  constructor(needs: { readonly key: Buffer; readonly observe: Observe; readonly nowMs: () => number }) {
    this.#key = needs.key;
    this.#observe = needs.observe;
    this.#nowMs = needs.nowMs;
  }

  /** As it is to stand in the log: behind its proof, if it is one of the server's. */
  seal(prefix: string, content: Buffer): Buffer {
    return isOwn(prefix) ? Buffer.concat([this.#mac(prefix, content), content]) : content;
  }

  /** What `seal` was given; `null` for what somebody else wrote as if it were the server's, and that is reported. */
  open(prefix: string, sealed: Buffer): Buffer | null {
    if (prefix === schemaChangePrefix) return this.#openNews(sealed);
    if (!isOwn(prefix)) return sealed;
    const content = sealed.subarray(macBytes);
    if (sealed.length >= macBytes && timingSafeEqual(sealed.subarray(0, macBytes), this.#mac(prefix, content))) {
      return content;
    }
    this.#report(prefix);
    return null;
  }

  #openNews(content: Buffer): Buffer | null {
    if (this.schemaWord === null || content.toString() === this.schemaWord) return content;
    this.#report(schemaChangePrefix);
    return null;
  }

  #mac(prefix: string, content: Buffer): Buffer {
    // No prefix has a NUL in it, so that nothing can be moved between the two.
    return createHmac("sha256", this.#key).update(`${prefix}\0`).update(content).digest();
  }

  #report(prefix: string): void {
    this.#refused++;
    if (this.#nowMs() - this.#reportedAtMs < reportEveryMs) return;
    this.#reportedAtMs = this.#nowMs();
    const message = `Messages in the log that look like the server's (the last one "${prefix.slice(0, 64)}") were not written by it, or by a server with other keys, and are ignored: ${this.#refused} so far.`;
    this.#observe({ kind: "warning", area: "log", message });
  }
}

const isOwn = (prefix: string): boolean => prefix.startsWith(ownPrefix) && prefix !== schemaChangePrefix;
