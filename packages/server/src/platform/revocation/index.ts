import type { Principal } from "../../kernel/principal.ts";
import type { Values } from "../../kernel/settings.ts";
import type { identitySettings } from "../identity/settings.ts";
import type { Ended, EndReason } from "../identity/types.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { EndedSet, type News } from "./ended.ts";
import { revocationStore } from "./store.ts";
import { type OnEnd, Watchers } from "./watchers.ts";

export type { News } from "./ended.ts";
export type { OnEnd } from "./watchers.ts";

/** What has ended before its tokens did, on whichever node of this database. */
export interface Revocations extends Ended {
  /** Why this caller must not come in any more; `null` when nothing is known against it. A look-up in memory. */
  reasonOf(principal: Principal): EndReason | null;
  /** Told the ids of what has just ended. @returns how to stop listening */
  onEnded(listener: (news: News) => void): () => void;
  /**
   * For whoever holds something open for a caller, a socket for instance: told once when the caller's session or user ends, or the
   * keys behind all tokens are revoked, and at once when that has happened already. @returns how to stop watching, when it closes
   */
  watch(principal: Principal, onEnd: OnEnd): () => void;
  /** Told when the shared keyring has changed. @returns how to stop listening */
  onKeysChanged(listener: () => void): () => void;
  /** Ends what is watched for every user: their tokens are dead. */
  endAll(): void;
  /** Reads what is new, now. Rejects when the database is away. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/** Written by PostgreSQL's triggers (migration 0010). */
const channel = "mainstay_revocations";
/** News that come closer together are read together: a thousand sign-outs cost as many reads as there are such intervals. */
const gatherMs = 25;
const sweepMs = 60_000;
/** Tokens are believed a little longer than they say (`jwtLeewaySeconds`), and nodes' clocks differ. */
const marginSeconds = 120;

/**
 * Follows what ends: by notification, and by looking every `revocationPollMs` in case one is lost, so that every node knows within
 * that time. Rejects when the first look fails. While the database is away nothing can end; what ended is still known.
 * @param needs.tokenSeconds life of an access token
 */
export async function openRevocations(needs: {
  readonly database: Database;
  readonly settings: Pick<Values<typeof identitySettings>, "revocationPollMs">;
  readonly tokenSeconds: number;
}): Promise<Revocations> {
  const { database, settings } = needs;
  const keepSeconds = needs.tokenSeconds + marginSeconds;
  const ended = new EndedSet(keepSeconds, () => performance.now());
  const watchers = new Watchers();
  const onEnded = new Set<(news: News) => void>();
  const onKeysChanged = new Set<() => void>();
  let since: string | null = null;
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  let gathering: NodeJS.Timeout | null = null;
  let isClosed = false;

  // Listening begins before the first look: what ends during it must not be missed.
  const stopListening = await database.listen([channel], gather);
  try {
    await look(database);
  } catch (error) {
    await stopListening();
    throw error;
  }
  const poll = setInterval(lookInBackground, settings.revocationPollMs).unref();
  const sweeper = setInterval(() => {
    ended.sweep();
    revocationStore.sweep(database.background, keepSeconds * 2).catch(() => {});
  }, sweepMs).unref();

  return {
    reasonOf: (principal) => ended.reasonOf(principal),
    onEnded: (told) => subscribe(onEnded, told),
    onKeysChanged: (told) => subscribe(onKeysChanged, told),
    watch(principal, onEnd) {
      const reason = ended.reasonOf(principal);
      if (reason === null) return watchers.add(principal, onEnd);
      onEnd(reason);
      return () => {};
    },
    endAll: () => watchers.tellAll("keys"),
    refresh: () => look(database),
    async close() {
      isClosed = true;
      clearInterval(poll);
      clearInterval(sweeper);
      if (gathering !== null) clearTimeout(gathering);
      await stopListening();
      await Promise.allSettled([running, next]);
    },
  };

  function gather(): void {
    if (isClosed) return;
    gathering ??= setTimeout(() => {
      gathering = null;
      lookInBackground();
    }, gatherMs).unref();
  }

  function lookInBackground(): void {
    // The next look reads on from the same place.
    look(database.background).catch(() => {});
  }

  /** One look at a time; whoever asks while one is under way gets one that begins afterwards. */
  function look(db: Pick<Queryable, "query">): Promise<void> {
    if (running === null) {
      running = lookOnce(db).finally(() => {
        running = null;
      });
      return running;
    }
    next ??= running
      .catch(() => {})
      .then(() => {
        next = null;
        return look(db);
      });
    return next;
  }

  async function lookOnce(db: Pick<Queryable, "query">): Promise<void> {
    const { rows, next: following } = await revocationStore.read(db, since);
    const isFirst = since === null;
    since = following;
    const news = ended.add(rows);
    if (news.sessionIds.length > 0 || news.userIds.length > 0) {
      for (const told of onEnded) told(news);
      watchers.tell(news, (principal) => ended.reasonOf(principal));
    }
    if (!isFirst && rows.some(({ kind }) => kind === "keys")) for (const told of onKeysChanged) told();
  }
}

function subscribe<T>(set: Set<T>, listener: T): () => void {
  set.add(listener);
  return () => set.delete(listener);
}
