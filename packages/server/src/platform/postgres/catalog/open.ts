import type { Values } from "../../../kernel/settings.ts";
import type { Observe } from "../../observe/observation.ts";
import { Backoff } from "../backoff.ts";
import type { Database } from "../database.ts";
import { buildCatalog } from "./build.ts";
import { loadRows, loadTimezones, readFingerprint } from "./load.ts";
import { problems } from "./problems.ts";
import { announcerQuery } from "./queries.ts";
import { catalogSettings } from "./settings.ts";
import type { Catalog, CatalogHolder } from "./types.ts";

export interface CatalogNeeds {
  readonly database: Database;
  /** Schemas to read, asked before every load: what is served, and what its statements may refer to. */
  readonly schemas: () => readonly string[];
  readonly observe: Observe;
  readonly settings?: Partial<Values<typeof catalogSettings>>;
}

/** Ours, and the one PostgREST's users know: migration tools notify it. */
const catalogChannels = ["mainstay_catalog", "pgrst"];

/** What a notification may ask for. PostgREST's words; an empty payload means both. */
const payloads: ReadonlySet<string> = new Set(["", "reload schema", "reload config"]);

/** How often to look where nobody announces DDL, in ms. The promise is: visible within a second. */
const defaultPollMs = 1_000;

/**
 * Reads the catalogue and keeps it current: by NOTIFY (`mainstay_catalog`, `pgrst`), by reconnecting, and where DDL is not
 * announced by looking. A load that fails leaves the old picture and is tried again; only before the first success is
 * there none. Resolves after the first attempt, whatever its outcome, so that a server can start before its database.
 */
export async function openCatalog(needs: CatalogNeeds): Promise<CatalogHolder> {
  const settings = { ...defaults, ...needs.settings };
  const { database, observe } = needs;
  const backoff = new Backoff(250, 10_000);
  let catalog: Catalog | null = null;
  let timezones: ReadonlySet<string> | null = null;
  let fingerprint = "";
  let version = 0;
  let running: Promise<Catalog> | null = null;
  let next: Promise<Catalog> | null = null;
  let isRetrying = false;
  let isClosed = false;

  // Listening begins before the first load: news of what changes during it must not be missed.
  const stopListening = await database.listen(catalogChannels, (payload) => {
    if (payload === null || payloads.has(payload)) refresh();
  });
  await reload().catch(() => {
    void retry();
  });
  const poll = await startPolling();

  return {
    current() {
      if (catalog === null) throw problems.notLoaded();
      return catalog;
    },
    reload,
    async close() {
      isClosed = true;
      backoff.cancel();
      poll.stop();
      await stopListening();
      await Promise.allSettled([running, next, poll.settled()]);
    },
  };

  /** At most one load runs and one waits: a burst of news costs two. */
  function reload(): Promise<Catalog> {
    if (running === null) return start();
    next ??= running
      .catch(() => {})
      .then(() => {
        next = null;
        return start();
      });
    return next;
  }

  function start(): Promise<Catalog> {
    const load = loadOnce().finally(() => {
      if (running === load) running = null;
    });
    running = load;
    return load;
  }

  async function loadOnce(): Promise<Catalog> {
    if (isClosed) throw new Error("The catalogue is closed.");
    const startedAt = performance.now();
    try {
      // Beside the load rather than in it: it takes as long as all the rest, and is asked once.
      const [rows, zones] = await withinTime(
        settings.catalogTimeoutMs,
        Promise.all([
          loadRows(database, needs.schemas(), settings.catalogTimeoutMs),
          timezones ?? loadTimezones(database),
        ]),
      );
      timezones = zones;
      fingerprint = rows.fingerprint;
      catalog = buildCatalog(rows, {
        version: ++version,
        timezones: zones,
        configurationRole: settings.configurationRole,
      });
    } catch (error) {
      if (!isClosed) observe({ kind: "catalog.failed", error });
      throw error;
    }
    backoff.reset();
    observe({
      kind: "catalog.loaded",
      relations: catalog.relations.length,
      functions: catalog.allFunctions.length,
      durationMs: performance.now() - startedAt,
    });
    return catalog;
  }

  /** Reloads because something happened, rather than because somebody waits. */
  function refresh(): void {
    reload().catch(() => retry());
  }

  /** Tries until a load succeeds, in one place at a time. */
  async function retry(): Promise<void> {
    if (isRetrying) return;
    isRetrying = true;
    try {
      while (!isClosed && (await backoff.wait())) {
        const isLoaded = await reload().then(
          () => true,
          () => false,
        );
        if (isLoaded) return;
      }
    } finally {
      isRetrying = false;
    }
  }

  async function startPolling(): Promise<{ stop(): void; settled(): Promise<void> }> {
    const intervalMs = settings.catalogPollMs ?? ((await isAnnounced()) ? 0 : defaultPollMs);
    let look: Promise<void> | null = null;
    if (intervalMs === 0) return { stop: () => {}, settled: async () => {} };
    const timer = setInterval(() => {
      look ??= lookOnce().finally(() => {
        look = null;
      });
    }, intervalMs);
    timer.unref();
    return { stop: () => clearInterval(timer), settled: async () => look ?? undefined };
  }

  async function lookOnce(): Promise<void> {
    if (running !== null) return;
    // A failure here says nothing new: the listener and the requests notice that the database is away.
    const seen = await readFingerprint(database).catch(() => null);
    if (seen !== null && seen !== fingerprint && !isClosed) refresh();
  }

  async function isAnnounced(): Promise<boolean> {
    const rows = await database.query<{ exists: boolean }>(announcerQuery).catch(() => []);
    return rows[0]?.exists ?? false;
  }
}

/**
 * Gives up waiting after `timeoutMs`. PostgreSQL's own timeouts do not help when the connection is what has died, and a load that
 * waits forever would hold up every later one.
 */
async function withinTime<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Reading the catalogue took longer than ${timeoutMs} ms.`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

const defaults: Values<typeof catalogSettings> = {
  catalogPollMs: catalogSettings.catalogPollMs.default,
  catalogTimeoutMs: catalogSettings.catalogTimeoutMs.default,
  configurationRole: catalogSettings.configurationRole.default,
};
