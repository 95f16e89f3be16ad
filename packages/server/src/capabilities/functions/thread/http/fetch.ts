import { current } from "../current.ts";
import type { Wire } from "../wire.ts";
import { RealRequest, realRequestOf, WorldRequest } from "./request.ts";
import { RealResponse, realResponseOf, WorldResponse } from "./response.ts";
import { wireFetch } from "./wire-fetch.ts";

type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;
type Streaming = (source: unknown, ...rest: unknown[]) => Promise<unknown>;

/**
 * Puts the light classes where the real ones were, and a `fetch` beside them that takes them. What is asked of the project's own URL, by clients
 * that a function has made itself, goes over the thread's socket, as whoever the request's own headers name.
 */
export function installFetch(projectUrl: string): void {
  const realFetch = globalThis.fetch as Fetch;
  const origin = projectUrl.replace(/\/+$/, "");
  const fetch: Fetch = async (input, init) => {
    const wire = current.getStore()?.wire;
    if (wire !== undefined && isOurs(urlOf(input), origin)) {
      const answer = await fetchOurs(wire, input, init);
      if (answer !== null) return answer;
    }
    return await realFetch(realRequestOf(input) as Request, init);
  };
  put(globalThis, { fetch, Request: WorldRequest, Response: WorldResponse });
  // `new request.constructor(…)` is the same as `new Request(…)`.
  put(RealRequest.prototype, { constructor: WorldRequest });
  put(RealResponse.prototype, { constructor: WorldResponse });
  // WebAssembly asks the real class about what it is given. Types for Node do not have it.
  const { WebAssembly: assembly } = globalThis as unknown as { readonly WebAssembly: Record<string, Streaming> };
  for (const name of ["compileStreaming", "instantiateStreaming"]) {
    const real = assembly[name]!;
    put(assembly, {
      [name]: async (source: unknown, ...rest: unknown[]) => await real(realResponseOf(await source), ...rest),
    });
  }
}

const redirects: readonly number[] = [301, 302, 303, 307, 308];

/** `null` when it is a redirect that is to be followed, which the real `fetch` does: the request says again where it leads. */
async function fetchOurs(
  wire: Wire,
  input: string | URL | Request,
  init: RequestInit | undefined,
): Promise<Response | null> {
  const mode = init?.redirect ?? (typeof input === "object" && "redirect" in input ? input.redirect : "follow");
  const method = init?.method ?? (typeof input === "object" && "method" in input ? input.method : "GET");
  const answer = await wireFetch(wire, "sent")(input, init);
  const isFollowed = mode !== "manual" && redirects.includes(answer.status) && answer.headers.has("location");
  // Only what may be asked twice: another would be done twice.
  return isFollowed && (method === "GET" || method === "HEAD") ? null : answer;
}

const urlOf = (input: string | URL | Request): string =>
  typeof input === "string" ? input : input instanceof URL ? input.href : input.url;

/** `http://project.example.evil` begins with our origin, and is not ours. */
const isOurs = (url: string, origin: string): boolean =>
  url.startsWith(origin) && (url.length === origin.length || "/?#".includes(url[origin.length]!));

function put(target: object, members: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(target, name, {
      value,
      configurable: true,
      writable: true,
      enumerable: target === globalThis,
    });
  }
}
