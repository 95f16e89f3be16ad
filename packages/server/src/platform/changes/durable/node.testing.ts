import { LedgerReader, openNode } from "./testing.ts";

// A node in a process of its own, to be killed. argv: the database's URL, the names of its readers.
const [url, ...names] = process.argv.slice(2);
const { log } = openNode(url!, { logReaderQueueBytes: 4_096, logBatchChanges: 50 }, (one) => {
  if (one.kind === "log.leading") process.send?.("leading");
});
for (const name of names) log.followDurably(new LedgerReader(name, 1));
process.send?.("ready");
