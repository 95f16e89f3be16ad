import type { OpenProjectDatabase } from "@mainstay/server";
import type { ReaderFacts } from "@mainstay/server/examine";
import { type Finding, ok, warn } from "./finding.ts";

/** How those stand that read the log with a memory in the database, of a database that is open. */
export async function logReaderFindings({ database, config }: OpenProjectDatabase): Promise<readonly Finding[]> {
  const { examineReaders } = await import("@mainstay/server/examine");
  return readerFindings(await examineReaders(database), config.changes.logRetainedBytes);
}

/** Those that read the log with a memory in the database: webhooks, sync. `retainedBytes` is how far behind they may be. */
export function readerFindings(readers: readonly ReaderFacts[], retainedBytes: number): readonly Finding[] {
  return readers.map(({ name, lagBytes, unreadMs }) => {
    const found = `${Math.round(lagBytes / 1_048_576)} MiB behind`;
    const at = `log: ${name}`;
    if (lagBytes <= retainedBytes / 2) return ok(at, found);
    const hours = Math.floor(unreadMs / 3_600_000);
    return warn(
      at,
      hours === 0 ? found : `${found}, and not read for since ${hours} h`,
      "The log of the server that reads for it says why it does not go on. Beyond what is kept, it begins anew.",
    );
  });
}
