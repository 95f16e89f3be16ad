import { createBounded } from "../bounded.ts";
import type { AuthContext } from "../context.ts";
import { userJson } from "../user.ts";
import { userStore } from "../user-store.ts";
import { accountProblems } from "./problems.ts";
import { type AccountReader, accountStore, type PlannedRows } from "./store.ts";

/** Exports being written at once: each holds a connection of its own and a snapshot of the database. */
const concurrency = 2;
const queueLimit = 8;

/** Everything that is a user's, as one JSON document that is written as it is read: it may be larger than memory. */
export interface AccountExport {
  readonly chunks: AsyncIterable<string>;
}

/** @returns `start`, which resolves once the account is open for reading, and rejects where there is none */
export function createExports(context: AuthContext) {
  const { db, settings, clock } = context;
  const bounded = createBounded(concurrency, queueLimit, accountProblems.exportsBusy);

  /** Resolves when there is room; what it gives makes room again, and may be called more than once. */
  const enter = (): Promise<() => void> =>
    new Promise((entered, refused) => {
      bounded(() => new Promise<void>((leave) => entered(leave))).catch(refused);
    });

  return async function start(userId: string, signal: AbortSignal): Promise<AccountExport | null> {
    const leave = await enter();
    try {
      const account = await userStore.findById(db, userId);
      if (account === null) {
        leave();
        return null;
      }
      const reader = await accountStore.openReader(db, userId, settings.accountErasedTables);
      const close = async () => {
        await reader.close();
        leave();
      };
      // A caller who goes before the first chunk never starts the reading, and so never ends it.
      signal.addEventListener("abort", () => void close(), { once: true });
      const head = {
        format: "mainstay.account-export/1",
        exported_at: new Date(clock.nowMs()).toISOString(),
        user: userJson(account.user),
      };
      return { chunks: write(head, reader, close) };
    } catch (error) {
      leave();
      throw error;
    }
  };
}

async function* write(
  head: Readonly<Record<string, unknown>>,
  reader: AccountReader,
  close: () => Promise<void>,
): AsyncIterable<string> {
  try {
    const { sessions, passkeys } = await reader.own();
    yield `${JSON.stringify(head).slice(0, -1)},"sessions":${sessions},"passkeys":${passkeys},"audit_log":`;
    yield* list(reader.auditLog());
    yield ',"tables":[';
    let isFirst = true;
    for (const table of reader.tables) {
      yield `${isFirst ? "" : ","}${openTable(table)}`;
      yield* list(reader.rows(table));
      yield "}";
      isFirst = false;
    }
    yield "]}\n";
  } finally {
    await close();
  }
}

/** `{"schema", "table", "action", "rows":` with the rows to follow. */
const openTable = ({ schema, table, action }: PlannedRows): string =>
  `${JSON.stringify({ schema, table, action }).slice(0, -1)},"rows":`;

async function* list(batches: AsyncIterable<readonly string[]>): AsyncIterable<string> {
  let separator = "[";
  for await (const batch of batches) {
    yield `${separator}${batch.join(",")}`;
    separator = ",";
  }
  yield separator === "[" ? "[]" : "]";
}
