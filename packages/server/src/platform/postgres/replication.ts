import pg from "pg";
import { cut } from "./cut.ts";

/**
 * A connection to PostgreSQL's walsender: it answers statements like any other, one at a time, until it is told to stream, and then
 * does nothing else. https://www.postgresql.org/docs/current/protocol-replication.html
 */
export interface ReplicationConnection {
  /** One statement or replication command, without parameters. Rejects with pg's DatabaseError. */
  query(text: string): Promise<readonly Readonly<Record<string, string | null>>[]>;
  /**
   * Starts to stream. Resolves once PostgreSQL has agreed. `onData` gets the content of each CopyData message, in a buffer that is
   * good only during the call.
   */
  stream(command: string, onData: (content: Buffer) => void): Promise<void>;
  /** Sends the content of a CopyData message. */
  send(content: Buffer): void;
  /** Reads no more than what has arrived. */
  pause(): void;
  resume(): void;
  /** Resolves, with the reason, when the connection is gone; never rejects. */
  readonly lost: Promise<unknown>;
  /** Drops it without goodbye: for a connection that has fallen silent. */
  cut(): void;
  close(): Promise<void>;
}

export type ConnectReplication = () => Promise<ReplicationConnection>;

/** What `pg` has and its types do not say. */
interface Wire {
  readonly connection: {
    readonly stream: { pause(): void; resume(): void };
    once(event: "replicationStart", listener: () => void): void;
    on(event: "copyData", listener: (message: { readonly chunk: Buffer }) => void): void;
    sendCopyFromChunk(chunk: Buffer): void;
  };
}

/** How long a closing connection may take to say goodbye, in ms. */
const goodbyeMs = 1_000;

/** Values come as text: they are the same on every connection, whatever the role, the database or the server prefer. */
const fixedFormats = [
  ["DateStyle", "ISO, YMD"],
  ["IntervalStyle", "postgres"],
  ["TimeZone", "UTC"],
  ["extra_float_digits", "1"],
  ["bytea_output", "hex"],
  ["statement_timeout", "0"],
  ["lock_timeout", "0"],
] as const;

/** Connects as `config` says, to the database it names. Rejects as `pg` does. The caller closes it. */
export async function connectReplication(config: pg.ClientConfig): Promise<ReplicationConnection> {
  const client = new pg.Client({ ...config, replication: "database", types: asText } as pg.ClientConfig);
  // An error nobody listens for would end the process (threat X09); what comes while connecting rejects `connect` besides.
  const lost = new Promise<unknown>((resolve) => {
    client.on("error", resolve);
    client.on("end", () => resolve(new Error("The connection ended.")));
  });
  await client.connect();
  const { connection } = client as unknown as Wire;
  const query = async (text: string) => {
    const result = await client.query(text);
    return result.rows as Record<string, string | null>[];
  };
  const close = async () => {
    const timer = setTimeout(() => cut(client), goodbyeMs);
    // Paused, it would never see the other side's end.
    connection.stream.resume();
    await client.end().catch(() => {});
    clearTimeout(timer);
  };
  try {
    await query(fixedFormats.map(([name, value]) => `set ${name} = '${value}'`).join("; "));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    query,
    stream(command, onData) {
      return new Promise((resolve, reject) => {
        connection.on("copyData", ({ chunk }) => onData(chunk));
        connection.once("replicationStart", resolve);
        // It ends only with the stream. An error then is the end of this connection, too: the server closes it, or ought to.
        client.query(command).then(
          () => cut(client),
          (error: unknown) => {
            reject(error);
            client.emit("error", error);
            cut(client);
          },
        );
      });
    },
    send: (content) => connection.sendCopyFromChunk(content),
    pause: () => connection.stream.pause(),
    resume: () => connection.stream.resume(),
    lost,
    cut: () => cut(client),
    close,
  };
}

const asText: pg.CustomTypesConfig = { getTypeParser: (() => (value: string) => value) as never };
