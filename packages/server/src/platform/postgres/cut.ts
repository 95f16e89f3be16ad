import type pg from "pg";

/** Drops the socket at once; `end()` would wait for an answer. `connection` is public in pg, though not in its types. */
export function cut(client: pg.Client): void {
  const { connection } = client as unknown as {
    readonly connection: { readonly stream: { destroy(error: Error): void } };
  };
  connection.stream.destroy(new Error("The connection stopped answering."));
}
