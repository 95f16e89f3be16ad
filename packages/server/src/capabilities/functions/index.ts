import { realpathSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Capability } from "../../kernel/capability.ts";
import type { Values } from "../../kernel/settings.ts";
import type { PartState } from "../../platform/http/index.ts";
import type { ApiKeys, Identity, TokenSigner } from "../../platform/identity/types.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import { type FunctionBuild, openFunctionBuild } from "./build/index.ts";
import { createSaying } from "./build/say.ts";
import { type Endpoint, endpointOf } from "./endpoints.ts";
import { environmentOf, secretsOf } from "./environment.ts";
import { createFunctionHost } from "./host/index.ts";
import type { LogKeeper } from "./logs/index.ts";
import { functionRoutes, type Receive } from "./routes.ts";
import type { functionsSettings } from "./settings.ts";
import type {
  DefinitionSummary,
  Diagnostic,
  FunctionHost,
  FunctionSet,
  InternalFetch,
  Invocation,
  Services,
} from "./types.ts";

/** By function: what it defines, or why it could not be loaded. */
export type Definitions = ReadonlyMap<string, readonly DefinitionSummary[] | Diagnostic>;

export { examineChangeGaps, examineFunctions, type FunctionsExamination } from "./examine.ts";
export {
  createLogKeeper,
  type FunctionLog,
  type FunctionLogFilter,
  type FunctionLogs,
  readFunctionLogs,
} from "./logs/index.ts";
export { mount as functionsMount } from "./routes.ts";
export { planOf, withDefaults } from "./runs/index.ts";
export { createFunctionWork, type FunctionWork } from "./runs/work.ts";
export { createServices } from "./services/index.ts";
export { createInternalFetch } from "./services/internal-fetch.ts";

export interface FunctionsNeeds {
  readonly projectDir: string;
  /** Absolute; `null` when the project has none. */
  readonly functionsDir: string | null;
  readonly supabaseConfigFile: string | null;
  /** Absolute: `.mainstay/cache`. */
  readonly cacheFolder: string;
  /** `look`: for a command beside a server that may run. */
  readonly mode: "dev" | "start" | "look";
  readonly identity: Identity;
  readonly apiKeys: () => ApiKeys;
  readonly jwks: TokenSigner["jwks"];
  /** Variables of the server's environment that the setting `functionsSecrets` names. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly settings: Values<typeof functionsSettings>;
  readonly observe: Observe;
  /** Where the project is to be reached, as functions see it. */
  readonly projectUrl: () => string;
  /** Resolves when that is known: with port 0 not before the server listens. Nothing is loaded before. */
  readonly listening: Promise<void>;
  readonly services: Services;
  readonly internalFetch: InternalFetch;
  /** `null` where nothing is taken in. */
  readonly receive: Receive | null;
  /** Keeps what functions log; `null` where nobody does. */
  readonly logs: LogKeeper | null;
  /** An invocation is over: what it has left open is to be closed. */
  onOver?(invocation: Invocation): void;
}

/** Told after every load. @returns what authors should know besides */
export type LoadListener = (set: FunctionSet, defined: Definitions) => Promise<readonly Diagnostic[]>;

export interface Functions extends Capability {
  readonly host: FunctionHost;
  /** What the project has given its functions under this name, as it is now. */
  secretOf(name: string): string | undefined;
  /** Whoever runs what functions define besides endpoints. Before `start`. */
  onLoaded(listener: LoadListener): void;
  /** Resolves when the functions have been loaded for the first time. */
  ready(): Promise<void>;
  /** Of `/health`: nothing where there are no functions; `starting` while whoever calls waits for them to be loaded. */
  parts(): Readonly<Record<string, PartState>>;
  /** What is wrong with functions now. */
  diagnostics(): readonly Diagnostic[];
}

/** After how long a function that could not be loaded is tried again; the wait doubles. */
const firstAgainMs = 1_000;
const mostAgainMs = 60_000;

/** The app's own code, under `/functions/v1` (protocols: functions). A project without functions costs nothing. */
export function createFunctions(needs: FunctionsNeeds): Functions {
  const { settings, observe, identity, functionsDir } = needs;
  const isOn = settings.functionsEnabled;
  const bundles = join(needs.cacheFolder, "functions");
  const listeners: LoadListener[] = [];
  let endpoints: ReadonlyMap<string, Endpoint> = new Map();
  let found: readonly Diagnostic[] = [];
  let build: FunctionBuild | null = null;
  let loading: Promise<void> | null = null;
  let turn: Promise<unknown> = Promise.resolve();
  let isStopped = false;
  let loaded: FunctionSet | null = null;
  let unloadedBefore = 0;
  let again: NodeJS.Timeout | null = null;
  const stopped = Promise.withResolvers<void>();
  const ofLoad = createSaying(observe);
  const secrets = () => secretsOf(functionsDir, needs.secrets);

  const host = createFunctionHost({
    settings,
    observe,
    services: needs.services,
    internalFetch: needs.internalFetch,
    readable: [...ownModules(), bundles, ...(functionsDir === null ? [] : [functionsDir])],
    surroundings() {
      const given = secrets();
      const keys = needs.apiKeys();
      const projectUrl = needs.projectUrl();
      return {
        environment: environmentOf({
          secrets: given,
          projectUrl,
          keys,
          jwks: needs.jwks(),
          databaseUrl: settings.functionsDatabaseUrl,
        }),
        secretNames: Object.keys(given),
        projectUrl,
        anonKey: keys.anonKey,
        serviceRoleKey: keys.serviceRoleKey,
      };
    },
    onLog(line) {
      const { invocationId: id, functionName, level, message, fields } = line;
      observe({ kind: "functions.log", id, functionName, level, message, fields });
      needs.logs?.line(line);
    },
    onOver(invocation, end) {
      needs.onOver?.(invocation);
      needs.logs?.end(invocation, end);
    },
  });

  /** What could not be loaded may be another time: its module may have asked somebody who was not there. */
  const tryAgain = (set: FunctionSet, waitMs: number): void => {
    again = setTimeout(() => {
      if (!isStopped) void loadInTurn(set, false, Math.min(waitMs * 2, mostAgainMs));
    }, waitMs).unref();
  };
  const load = async (set: FunctionSet, isAnew: boolean, againMs: number | null): Promise<void> => {
    // A set has come meanwhile that is newer than the one to be tried again.
    if (againMs !== null && set !== loaded) return;
    if (again !== null) clearTimeout(again);
    loaded = set;
    const defined = await host.load(set, { isAnew });
    if (isStopped) return;
    const unloaded = [...defined.values()].filter((one): one is Diagnostic => "severity" in one);
    if (unloaded.length > 0) tryAgain(set, againMs ?? firstAgainMs);
    if (againMs !== null && unloaded.length === unloadedBefore) return;
    unloadedBefore = unloaded.length;
    const open = new Map<string, Endpoint>();
    for (const built of set.functions) {
      const endpoint = endpointOf(built, defined.get(built.name) ?? [], settings.functionsTimeoutMs);
      if (endpoint !== null) open.set(built.name, endpoint);
    }
    const broken = set.diagnostics.filter(({ severity }) => severity === "error");
    for (const why of broken) if (why.functionName !== undefined) open.set(why.functionName, { kind: "broken", why });
    endpoints = open;
    const besides: Diagnostic[] = [];
    for (const listener of listeners) besides.push(...(await listener(set, defined)));
    found = [...set.diagnostics, ...unloaded, ...besides];
    // The build has said its own.
    ofLoad.diagnostics([...unloaded, ...besides]);
  };
  /** One after another: a later set is never replaced by an earlier one. */
  const loadInTurn = (set: FunctionSet, isAnew: boolean, againMs: number | null = null): Promise<void> => {
    const done = turn.then(() => load(set, isAnew, againMs));
    turn = done.catch((error: unknown) =>
      observe({ kind: "warning", area: "functions", message: `Functions could not be loaded: ${String(error)}` }),
    );
    return done;
  };
  const open = async (): Promise<void> => {
    build = await openFunctionBuild({
      projectDir: needs.projectDir,
      functionsDir,
      supabaseConfigFile: needs.supabaseConfigFile,
      cacheDir: bundles,
      mode: needs.mode,
      settings,
      observe,
    });
    await Promise.race([needs.listening, stopped.promise]);
    if (isStopped) return;
    build.onChange((set, { hasNewSecrets }) => void loadInTurn(set, hasNewSecrets));
    await loadInTurn(build.current(), false);
  };

  return {
    name: "functions",
    host,
    secretOf: (name) => secrets()[name],
    onLoaded: (listener) => void listeners.push(listener),
    ready: () => loading ?? Promise.resolve(),
    parts: () => (functionsDir === null ? {} : { functions: loading === null ? "ok" : "starting" }),
    diagnostics: () => found,
    routes: isOn
      ? [
          functionRoutes({
            host,
            identity,
            endpoint: (name) => endpoints.get(name),
            showsWhy: needs.mode === "dev",
            loading: () => loading,
            receive: needs.receive,
            bodyLimitBytes: settings.functionsBodyLimitBytes,
          }),
        ]
      : [],
    // The server does not wait: whoever calls meanwhile does.
    async start() {
      if (!isOn || (functionsDir === null && needs.mode === "start")) return;
      needs.logs?.start();
      loading = open()
        .catch((error: unknown) =>
          observe({ kind: "warning", area: "functions", message: `Functions could not be loaded: ${String(error)}` }),
        )
        .finally(() => {
          loading = null;
        });
    },
    async stop(signal) {
      isStopped = true;
      stopped.resolve();
      if (again !== null) clearTimeout(again);
      // What is being loaded is not waited for: its module may take as long as it may.
      const stopping = host.stop(signal);
      await loading;
      await build?.close();
      await stopping;
      await needs.logs?.stop();
    },
  };
}

/** What threads need of ours, none of it a secret: the server's modules, the package functions are written with, and packages of both. */
function ownModules(): string[] {
  const here = fileURLToPath(new URL("../..", import.meta.url));
  const definitions = fileURLToPath(import.meta.resolve("@mainstay/functions"));
  const packages = ["@supabase/postgrest-js", "@mainstay/functions"].map((name) => {
    const path = fileURLToPath(import.meta.resolve(name));
    const at = path.lastIndexOf(`${sep}node_modules${sep}`);
    return at < 0 ? join(path, "..", "..") : path.slice(0, at + `${sep}node_modules`.length);
  });
  return [...new Set([here, realpathSync(join(definitions, "..")), ...packages])];
}
