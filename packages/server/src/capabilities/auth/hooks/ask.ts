import { randomUUID } from "node:crypto";
import type { Clock } from "../../../kernel/clock.ts";
import { Problem } from "../../../kernel/problem.ts";
import type { Database, Queryable } from "../../../platform/postgres/database.ts";
import { sqlStateOf } from "../../../platform/postgres/sql-state.ts";
import { type Fields, isObject } from "../request.ts";
import { functionStore } from "./function-store.ts";
import { askOverHttp } from "./http.ts";
import { hookProblems } from "./problems.ts";
import type { HookTarget } from "./target.ts";

/** What supabase/auth gives a database function. */
const functionTimeoutMs = 2_000;

/** Asks one hook: the payload in, the answer out. */
export type Ask = (
  payload: Fields,
  about?: { readonly address?: string; readonly tx?: Queryable | undefined },
) => Promise<Fields>;

/**
 * @param name as the payload's `metadata.name` has it
 * @returns what asks it. @throws Problem of `hookProblems`: the hook's own refusal, or that it could not be asked
 */
export function createAsk(
  name: string,
  target: HookTarget,
  { db, clock }: { readonly db: Database; readonly clock: Clock },
): Ask {
  return async (fields, { address = "", tx } = {}) => {
    const metadata = {
      uuid: randomUUID(),
      time: new Date(clock.nowMs()).toISOString(),
      name,
      ...(address === "" ? {} : { ip_address: address }),
    };
    const payload = JSON.stringify({ metadata, ...fields });
    const answer =
      target.kind === "http"
        ? parsed(name, await askOverHttp(name, target, payload, clock))
        : await askFunction(name, target, payload, db, tx ?? null);
    if (answer === null) return {};
    if (!isObject(answer)) throw hookProblems.failed(name, "Hook did not return a JSON object");
    throwRefusal(name, answer);
    return answer;
  };
}

function parsed(name: string, text: string): unknown {
  if (text.trim() === "") return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw hookProblems.failed(name, "Error unmarshaling JSON output.", cause);
  }
}

async function askFunction(
  name: string,
  target: Extract<HookTarget, { kind: "postgres" }>,
  payload: string,
  db: Database,
  tx: Queryable | null,
): Promise<unknown> {
  try {
    return await functionStore.call(db, tx, target, payload, functionTimeoutMs);
  } catch (error) {
    if (error instanceof Problem) throw error;
    if (sqlStateOf(error) === "57014") {
      throw hookProblems.timeout(name, functionTimeoutMs);
    }
    // The database's own words may name tables: they are for the log (threat B07).
    throw hookProblems.failed(name, "Error running hook", error);
  }
}

/** `{"error": {"http_code", "message"}}`, whatever the status it came with (Supabase docs, Auth Hooks, Error handling). */
function throwRefusal(name: string, { error }: Fields): void {
  if (!isObject(error) || typeof error.message !== "string" || error.message === "") return;
  const code = error.http_code;
  const isError = typeof code === "number" && Number.isInteger(code) && code >= 400 && code <= 599;
  if (!isError || code === 500) throw hookProblems.failed(name, error.message);
  // Any status is the hook's to choose; the type names those the reference lists.
  throw hookProblems.refused(code as 400, error.message);
}
