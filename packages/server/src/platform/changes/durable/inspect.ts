import type { Queryable } from "../../postgres/database.ts";
import { cursorStore, type ReaderFacts } from "./store.ts";

export type { ReaderFacts } from "./store.ts";

/** How the durable readers of a database stand, whoever reads for them: for `mainstay doctor`. Changes nothing. */
export const inspectReaders = (db: Pick<Queryable, "query">): Promise<readonly ReaderFacts[]> => cursorStore.facts(db);
