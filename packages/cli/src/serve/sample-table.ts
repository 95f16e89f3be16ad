import type { RunningServer } from "@mainstay/server";

const candidateLimit = 8;
const patienceMs = 2_000;

/**
 * A table of this project that an anonymous caller can read, to show a call that works: asked through the API itself, with
 * the key the person will use. One with rows before one without; `null` when there is none.
 */
export async function sampleTable(server: RunningServer, schemas: readonly string[]): Promise<string | null> {
  const [schema] = schemas;
  if (schema === undefined) return null;
  const candidates = await candidateTables(server, schema);
  let readable: string | null = null;
  for (const name of candidates) {
    const rows = await firstRow(server, name);
    if (rows === null) continue;
    if (rows.length > 0) return name;
    readable ??= name;
  }
  return readable;
}

/** The biggest first: they are what the app is about. */
async function candidateTables(server: RunningServer, schema: string): Promise<string[]> {
  const client = await server.database.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `select c.relname as name
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = $1 and c.relkind in ('r', 'p') and has_table_privilege('anon', c.oid, 'select')
       order by c.reltuples desc, c.relname limit ${candidateLimit}`,
      [schema],
    );
    return rows.map(({ name }) => name);
  } finally {
    await client.end();
  }
}

async function firstRow(server: RunningServer, table: string): Promise<readonly unknown[] | null> {
  try {
    const response = await fetch(`${server.url}/rest/v1/${encodeURIComponent(table)}?select=*&limit=1`, {
      headers: { apikey: server.keys.publishableKey, connection: "close" },
      signal: AbortSignal.timeout(patienceMs),
    });
    const body: unknown = await response.json();
    return response.ok && Array.isArray(body) ? body : null;
  } catch {
    return null;
  }
}
