import { readSettings } from "../../../kernel/settings.ts";
import { openDatabase } from "../../postgres/database.ts";
import { jobsSettings } from "../settings.ts";
import { jobsStore } from "../store.ts";
import { createSchedules } from "./index.ts";

// A node in a process of its own, to be killed. argv: the database's URL. Says that it has started.
const [url] = process.argv.slice(2);
const db = openDatabase({ connectionString: url!, max: 3 });
const schedules = createSchedules({
  db,
  jobs: { enqueue: jobsStore.enqueue },
  settings: readSettings(jobsSettings, { env: {} }).values,
  observe: () => {},
});
await schedules.start();
process.send?.("started");
