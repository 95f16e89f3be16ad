import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";

/** Where a server is and how its superuser comes in. */
export interface Entrance {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** What a server says of itself. */
export interface ServerFacts {
  readonly version: string;
  /** What we started it with; `null` when somebody else did. */
  readonly fingerprint: string | null;
  /** The cluster's own number, made by initdb and never changed. */
  readonly systemIdentifier: string;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Asks a running server who it is. Rejects with the error of `pg` when it does not let us in. */
export async function askServer(entrance: Entrance): Promise<ServerFacts> {
  const client = new pg.Client({ ...entrance, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, ssl: false });
  client.on("error", () => {});
  await client.connect();
  try {
    const { rows } = await client.query<ServerFacts>(
      `select current_setting('server_version') as "version",
              current_setting('mainstay.fingerprint', true) as "fingerprint",
              system_identifier::text as "systemIdentifier"
         from pg_control_system()`,
    );
    return rows[0]!;
  } finally {
    await client.end();
  }
}

/** The cluster's number from its files: the first field of `pg_control`, in the machine's byte order (little endian here). */
export function systemIdentifierOf(data: string): string {
  const fd = openSync(join(data, "global", "pg_control"), "r");
  try {
    const bytes = Buffer.alloc(8);
    readSync(fd, bytes, 0, 8, 0);
    return bytes.readBigUInt64LE().toString();
  } finally {
    closeSync(fd);
  }
}
