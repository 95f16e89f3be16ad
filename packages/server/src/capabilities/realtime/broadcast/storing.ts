import { randomUUID } from "node:crypto";
import type { Principal } from "../../../kernel/principal.ts";
import { DatabaseError } from "../../../platform/postgres/session/types.ts";
import type { RealtimeContext } from "../context.ts";
import type { Channel } from "../types.ts";
import type { Delivery } from "./delivery.ts";
import type { LogWriter } from "./log-writer.ts";
import { messageIdBy } from "./message-id.ts";
import type { Persist } from "./persist.ts";
import { broadcastProblems } from "./problems.ts";
import type { PublishedBytes } from "./published.ts";
import { senderOf } from "./sender.ts";
import { isStorable } from "./storable.ts";
import { broadcastStore } from "./store.ts";

/** What fails in the database is reported this often, in ms: it does so with every broadcast. */
const reportEveryMs = 60_000;

/** A broadcast of a private channel that its sender wants stored. */
export interface Sending {
  /** Of the channel: `room`. */
  readonly name: string;
  readonly who: Principal;
  /** `null`: nobody on a socket. */
  readonly from: Channel | null;
  /** Without metadata: the id is the server's to say. */
  readonly published: PublishedBytes;
  readonly persist: Persist;
  mayWrite(): Promise<boolean>;
  mayStore(): Promise<boolean>;
}

/**
 * Stores broadcasts as their senders, then delivers them: stored and sent, or neither. Supabase's server sends first and stores then, past
 * the policies, whatever comes of it; here a refusal means that nobody has got it, so that an app may simply send it again.
 */
export class Storing {
  readonly #context: Pick<RealtimeContext, "session" | "settings" | "observe">;
  readonly #writer: Pick<LogWriter, "written">;
  readonly #delivery: Pick<Delivery, "storing" | "stored" | "notStored">;
  #reportedAtMs = Number.NEGATIVE_INFINITY;

  constructor(needs: {
    readonly context: Pick<RealtimeContext, "session" | "settings" | "observe">;
    readonly writer: Pick<LogWriter, "written">;
    readonly delivery: Pick<Delivery, "storing" | "stored" | "notStored">;
  }) {
    this.#context = needs.context;
    this.#writer = needs.writer;
    this.#delivery = needs.delivery;
  }

  /** The longest time to live, in seconds: what is older is gone with its day. */
  get mostSeconds(): number {
    return this.#context.settings.realtimeMessagesKeepDays * 86_400;
  }

  /** @returns its id, when it is committed and on this node's channels @throws Problem, and then it is on none */
  async store(sending: Sending): Promise<string> {
    const { published, from } = sending;
    if (!(await sending.mayWrite())) throw broadcastProblems.notAllowed();
    if (!(await sending.mayStore())) throw broadcastProblems.persistNotAllowed();
    const limitBytes = this.#context.settings.realtimeBroadcastPayloadBytes;
    if (published.payload.length > limitBytes) throw broadcastProblems.persistTooLarge(limitBytes);
    if (published.encoding === "json" && !isStorable(published.payload)) throw broadcastProblems.persistUnstorable();
    // What was sent before it stands before it in the log, and so comes first on other nodes, too.
    await this.#writer.written();
    const id = from === null ? randomUUID() : messageIdBy(senderOf(from.socket.id));
    this.#delivery.storing(id, from);
    if (!(await this.#insert(id, sending))) {
      this.#delivery.notStored(id);
      throw broadcastProblems.persistTooLarge(limitBytes);
    }
    const metadata = JSON.stringify({ id });
    this.#delivery.stored({ id, expiresAtMs: null, published: { ...published, metadata } });
    return id;
  }

  async #insert(id: string, { name, who, published, persist }: Sending): Promise<boolean> {
    const { session, settings } = this.#context;
    try {
      return await broadcastStore.insert(session, {
        id,
        name,
        who,
        published,
        ttlSeconds: persist.ttlSeconds,
        limitBytes: settings.realtimeBroadcastPayloadBytes,
        timeoutMs: settings.realtimeBroadcastStoreTimeoutMs,
      });
    } catch (error) {
      // Where PostgreSQL gave no answer it may be stored; then the log brings it, and its sender still does not get its own.
      if (!(error instanceof DatabaseError)) throw error;
      this.#delivery.notStored(id);
      throw this.#explained(error);
    }
  }

  #explained(error: DatabaseError): Error {
    const { sqlstate, message } = error;
    // insufficient_privilege
    if (sqlstate === "42501") return broadcastProblems.notAllowed();
    // data_exception
    if (sqlstate.startsWith("22")) return broadcastProblems.persistUnstorable();
    const nowMs = performance.now();
    if (nowMs - this.#reportedAtMs >= reportEveryMs) {
      this.#reportedAtMs = nowMs;
      this.#context.observe({
        kind: "warning",
        area: "realtime",
        message: `A broadcast could not be stored in realtime.messages (${sqlstate}): ${message}`,
      });
    }
    return broadcastProblems.notStored(error);
  }
}
