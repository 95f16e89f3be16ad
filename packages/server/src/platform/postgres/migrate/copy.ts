import pg from "pg";

/**
 * Sends `copy … from stdin` with its data. `pg` answers a server that asks for data with a refusal; its query objects let us
 * answer instead, so that the statement keeps its place in the client's queue and its errors stay ordinary.
 */
export function copyFrom(client: pg.Client, sql: string, data: string): Promise<void> {
  return new Promise((resolve, reject) => {
    client.query(new CopyQuery(sql, data, (error) => (error ? reject(error) : resolve())));
  });
}

/** What of `pg`'s connection a COPY needs; its types leave it out. */
interface CopyConnection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

const chunkBytes = 65_536;

class CopyQuery extends pg.Query {
  readonly #data: string;

  constructor(sql: string, data: string, done: (error: Error | null) => void) {
    // The callback is the third parameter of the class and not in its types.
    super(...([sql, undefined, done] as unknown as [string]));
    this.#data = data;
  }

  handleCopyInResponse(connection: CopyConnection): void {
    const bytes = Buffer.from(this.#data);
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      connection.sendCopyFromChunk(bytes.subarray(at, at + chunkBytes));
    }
    connection.endCopyFrom();
  }
}
