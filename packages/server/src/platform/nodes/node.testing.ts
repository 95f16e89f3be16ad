import { openDatabase } from "../postgres/database.ts";
import { openNodes } from "./index.ts";

// A node in a process of its own, to be killed. argv: the database's URL, the settings. Says its id when it has joined.
const [url, settings] = process.argv.slice(2);
const database = openDatabase({ connectionString: url! });
const nodes = await openNodes({ database, settings: JSON.parse(settings!), observe: () => {} });
process.send?.(nodes.id);
