import { RealRequest, realRequestOf, WorldRequest } from "./request.ts";
import { RealResponse, realResponseOf, WorldResponse } from "./response.ts";

type Streaming = (source: unknown, ...rest: unknown[]) => Promise<unknown>;

/** Puts the light classes where the real ones were, and a `fetch` beside them that takes them. */
export function installFetch(): void {
  const realFetch = globalThis.fetch;
  const fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> =>
    await realFetch(realRequestOf(input) as Request, init);
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
