import type { Lsn } from "../../kernel/change.ts";
import type { ReplicationConnection } from "../postgres/replication.ts";
import { PgoutputError, type PgoutputMessage, readMessage } from "./pgoutput.ts";

export interface StreamNeeds {
  readonly connection: ReplicationConnection;
  /** Takes a message; while its promise has not settled, nothing more is given, and little more is read. */
  readonly onMessage: (message: PgoutputMessage, sizeBytes: number) => void | Promise<void>;
  /** PostgreSQL has come to this place. */
  readonly onReached: (lsn: Lsn) => void;
  /** Everything before it need not come again over this connection. */
  readonly position: () => Lsn;
  readonly heartbeatMs: number;
  readonly silenceMs: number;
}

export interface Stream {
  /** Resolves with the reason when nothing more will come, and nothing that has come is still being taken. */
  readonly ended: Promise<unknown>;
}

/** Length of the header of XLogData, in bytes. */
const headerBytes = 25;
const [xlogData, keepalive] = ["w".charCodeAt(0), "k".charCodeAt(0)];

/**
 * Streams over a connection until it is lost. https://www.postgresql.org/docs/current/protocol-replication.html has the messages.
 * Rejects when it does not begin.
 */
export async function openStream(command: string, needs: StreamNeeds): Promise<Stream> {
  const { connection } = needs;
  /** What came while something was being taken. No more than a read of the socket gives: then it is paused. */
  let queue: Buffer[] = [];
  let busy: Promise<void> | null = null;
  let failure: { readonly error: unknown } | null = null;
  let isHeard = true;

  await connection.stream(command, (content) => {
    isHeard = true;
    if (failure !== null) return;
    if (busy !== null) {
      // The buffer is the connection's: what is kept is copied.
      queue.push(Buffer.from(content));
      return;
    }
    try {
      const taking = take(content);
      if (taking instanceof Promise) busy = drain(taking);
    } catch (error) {
      fail(error);
    }
  });
  const beat = setInterval(() => sendStatus(false), needs.heartbeatMs).unref();
  const watch = watchSilence();
  return { ended: end() };

  async function end(): Promise<unknown> {
    const reason = await connection.lost;
    clearInterval(beat);
    clearInterval(watch);
    failure ??= { error: reason };
    queue = [];
    await busy;
    return failure.error;
  }

  function take(content: Buffer): void | Promise<void> {
    const kind = content[0];
    if (kind === xlogData && content.length > headerBytes) {
      return needs.onMessage(readMessage(content, headerBytes), content.length - headerBytes);
    }
    if (kind !== keepalive || content.length !== 18)
      throw new PgoutputError("The stream has a message of no known kind.");
    needs.onReached(content.readBigUInt64BE(1));
    // PostgreSQL waits with its own end until we have said that we have everything.
    if (content[17] === 1) sendStatus(false);
  }

  async function drain(taking: Promise<void>): Promise<void> {
    connection.pause();
    try {
      await taking;
      while (failure === null) {
        const content = queue.shift();
        if (content === undefined) break;
        await take(content);
      }
    } catch (error) {
      fail(error);
    }
    busy = null;
    connection.resume();
  }

  function fail(error: unknown): void {
    failure ??= { error };
    connection.cut();
  }

  /** https://www.postgresql.org/docs/current/protocol-replication.html#PROTOCOL-REPLICATION-STANDBY-STATUS-UPDATE */
  function sendStatus(asksForReply: boolean): void {
    const status = Buffer.alloc(34);
    status[0] = "r".charCodeAt(0);
    const position = needs.position();
    for (const at of [1, 9, 17]) status.writeBigUInt64BE(position, at);
    status.writeBigInt64BE(BigInt(Date.now() - 946_684_800_000) * 1_000n, 25);
    status[33] = asksForReply ? 1 : 0;
    connection.send(status);
  }

  /** A firewall that has forgotten a connection tells nobody: whoever hears nothing asks, and then goes. */
  function watchSilence(): NodeJS.Timeout {
    let beats = 0;
    return setInterval(() => {
      // While we do not read, we cannot hear.
      if (isHeard || busy !== null) beats = 0;
      else if (++beats >= 3) fail(new Error("The log has fallen silent."));
      else sendStatus(true);
      isHeard = false;
    }, needs.silenceMs / 3).unref();
  }
}
