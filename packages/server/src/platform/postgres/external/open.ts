import { Problem } from "../../../kernel/problem.ts";
import type { Observe } from "../../observe/observation.ts";
import { connectTo } from "./client.ts";
import { type ConnectionTarget, parseConnectionUrl } from "./connection-url.ts";
import { problems } from "./problems.ts";
import { judge, type Requirement } from "./requirements.ts";
import { readFacts } from "./store.ts";

/** A PostgreSQL of somebody else's, found fit. Nothing is held open: there is nothing to close. */
export interface ExternalPostgres {
  /** Where it is, with `sslmode=prefer` settled to what it turned out to be. */
  readonly target: ConnectionTarget;
  /** `16.9 (Debian …)`, as the server says it. */
  readonly version: string;
  readonly requirements: readonly Requirement[];
}

/**
 * Looks at the PostgreSQL of `url` and says what it has and lacks, each with what to do. Changes nothing.
 * @throws Problem `postgres/bad-connection-url`, `postgres/unreachable` when it cannot be asked at all
 */
export async function checkExternalPostgres(url: string): Promise<Requirement[]> {
  return [...(await inspect(url)).requirements];
}

/**
 * Makes sure that the PostgreSQL of `url` will do. What is only a pity is observed as a warning.
 * @throws Problem `postgres/requirements-missing` listing all that is missing; and those of `checkExternalPostgres`
 */
export async function openExternalPostgres(options: {
  readonly url: string;
  readonly observe: Observe;
}): Promise<ExternalPostgres> {
  const postgres = await inspect(options.url);
  const missing = postgres.requirements.filter(({ state }) => state === "missing");
  if (missing.length > 0) throw problems.requirementsMissing(placeOf(postgres.target), missing);
  for (const { state, name, found, remedy } of postgres.requirements) {
    if (state === "warning") {
      options.observe({ kind: "warning", area: "postgres", message: `${name}: ${found}. ${remedy}` });
    }
  }
  options.observe({ kind: "postgres.ready", version: postgres.version });
  return postgres;
}

async function inspect(url: string): Promise<ExternalPostgres> {
  const wanted = parseConnectionUrl(url);
  try {
    const { client, target } = await connectTo(wanted);
    try {
      const facts = await readFacts(client);
      return { target, version: facts.version, requirements: judge(facts) };
    } finally {
      await client.end();
    }
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw problems.unreachable(placeOf(wanted), wanted, error);
  }
}

/** Everything of a target but its password. */
function placeOf({ host, port, database }: ConnectionTarget): string {
  return host.startsWith("/")
    ? `${host}/.s.PGSQL.${port}, database "${database}"`
    : `${host}:${port}, database "${database}"`;
}
