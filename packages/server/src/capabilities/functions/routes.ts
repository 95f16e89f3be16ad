import type { WebhookOptions } from "@mainstay/functions";
import type { Principal } from "../../kernel/principal.ts";
import type { Call, CorsPolicy, Method, Reply, RouteGroup } from "../../kernel/route.ts";
import { depthOf } from "../../platform/http/index.ts";
import type { Identity } from "../../platform/identity/types.ts";
import { functionsBoundary } from "./boundary.ts";
import type { Endpoint } from "./endpoints.ts";
import { inputOf, replyOf } from "./http.ts";
import { problems } from "./problems.ts";
import type { Diagnostic, FunctionHost, HttpInput, HttpOutput, Invocation } from "./types.ts";

export const mount = "/functions/v1";

/** What pages may send and read, where the function does not say so itself (protocols: functions §2). */
const cors: CorsPolicy = {
  allowMethods: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
  allowHeaders:
    "authorization, apikey, x-client-info, content-type, accept, prefer, range, cache-control, x-region, x-retry-count, traceparent, tracestate, baggage",
  exposeHeaders: "X-Relay-Error, X-Request-Id, Content-Disposition, Content-Range, ETag, Location, Retry-After",
  maxAgeSeconds: 86_400,
};

/** How much later than the host the platform would give up. */
const marginMs = 5_000;

const methods: readonly Method[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** Takes in what a provider sends to the webhook of a function. */
export type Receive = (
  functionName: string,
  options: WebhookOptions,
  input: HttpInput,
  requestId: string,
) => Promise<HttpOutput>;

export interface RouteNeeds {
  readonly host: Pick<FunctionHost, "fetch">;
  readonly identity: Identity;
  /** What answers under a name; `undefined`: nothing. */
  endpoint(name: string): Endpoint | undefined;
  /** `null` once the functions have been loaded for the first time. */
  loading(): Promise<unknown> | null;
  /** `null` where nothing is taken in. */
  readonly receive: Receive | null;
  readonly bodyLimitBytes: number;
  /** Whoever calls a broken function is told what is wrong with its file: for those who write it, and nobody else. */
  readonly showsWhy: boolean;
}

export function functionRoutes(needs: RouteNeeds): RouteGroup {
  const handle = (call: Call): Promise<Reply> => {
    const loading = needs.loading();
    return loading === null ? answer(needs, call) : loading.then(() => answer(needs, call));
  };
  const shared = { method: methods, access: "open", bodyLimitBytes: needs.bodyLimitBytes, handle } as const;
  return {
    mount,
    boundary: functionsBoundary,
    cors,
    ownsPreflight(path) {
      const endpoint = needs.endpoint(path.split("/", 4)[3] ?? "");
      return endpoint?.kind === "http" && endpoint.ownsPreflight;
    },
    routes: [
      { ...shared, path: "/:name", summary: "Calls a function of the app." },
      { ...shared, path: "/:name/*", summary: "Calls a function of the app, which sees the rest of the path." },
    ],
  };
}

/** Without a promise of its own where it can be: this is the way of every call. */
function answer(needs: RouteNeeds, call: Call): Promise<Reply> {
  const name = call.params.name!; // the route has it
  const endpoint = needs.endpoint(name);
  if (endpoint === undefined) throw problems.notFound();
  switch (endpoint.kind) {
    case "broken":
      throw problems.bootError(needs.showsWhy ? wordsOf(endpoint.why) : undefined);
    case "webhook": {
      const { receive } = needs;
      if (receive === null) throw problems.notFound();
      return Promise.resolve(inputOf(call, mount))
        .then((input) => receive(name, endpoint.options, input, call.id))
        .then((output) => replyOf(call, output, false));
    }
    case "http": {
      // The host has a clock for it, and answers first.
      call.replyTimeoutMs = Math.max(call.replyTimeoutMs ?? 0, endpoint.timeoutMs + marginMs);
      const who = callerOf(needs.identity, call, endpoint.verifyJwt);
      const invocation = new Called(call, name, endpoint.index, endpoint.timeoutMs, who);
      const input = inputOf(call, mount);
      const output =
        input instanceof Promise
          ? input.then((whole) => needs.host.fetch(invocation, whole))
          : needs.host.fetch(invocation, input);
      return output.then((given) => replyOf(call, given, endpoint.verifyJwt));
    }
  }
}

/** Other schemes are no bearer, and nobody is let in by one. */
const bearer = /^bearer\s+\S/i;

/**
 * Whoever a function asks for a key or a token needs one of them: a bearer alone counts, and so does a key alone. Preflights carry neither, and what a
 * function answers to them is no secret.
 */
function callerOf(identity: Identity, call: Call, verifyJwt: boolean): Principal {
  if (!verifyJwt || call.method === "OPTIONS") return call.who;
  const { headers, query } = call;
  const isBearerOnly =
    headers.apikey === undefined && bearer.test(headers.authorization ?? "") && !query.includes("apikey=");
  const who = isBearerOnly ? identity.identifyBearer(headers) : identity.identify(headers, query);
  return who;
}

/** An invocation on behalf of a request. */
class Called implements Invocation {
  readonly functionName: string;
  readonly index: number;
  readonly who: Principal;
  readonly isCalled = true;
  readonly depth: number;
  readonly timeoutMs: number;
  readonly #call: Call;

  constructor(call: Call, functionName: string, index: number, timeoutMs: number, who: Principal) {
    this.#call = call;
    this.depth = depthOf(call);
    this.functionName = functionName;
    this.index = index;
    this.timeoutMs = timeoutMs;
    this.who = who;
  }

  get id(): string {
    return this.#call.id;
  }

  /** Asked for only by what lasts: making one costs. */
  get signal(): AbortSignal {
    return this.#call.signal;
  }
}

const wordsOf = ({ file, line, column, message }: Diagnostic): string =>
  `${[file, line, line === null ? null : column].filter((part) => part !== null).join(":")}: ${message}`;
