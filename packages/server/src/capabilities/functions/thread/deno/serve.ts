import type { Context } from "@mainstay/functions";
import { define } from "@mainstay/functions/definition";

/** The other side, as far as a function may know: requests come from the server, which has them from anywhere. */
interface Info {
  readonly remoteAddr: { readonly transport: "tcp"; readonly hostname: string; readonly port: number };
  readonly completed: Promise<void>;
}

type Handler = (request: Request, info: Info) => Response | Promise<Response>;

interface Options {
  readonly handler?: Handler;
  readonly hostname?: string;
  readonly port?: number;
  onListen?(address: { readonly transport: "tcp"; readonly hostname: string; readonly port: number }): void;
  onError?(error: unknown): Response | Promise<Response>;
}

/** `Deno.serve(handler)`, `(options, handler)`, `({ handler, … })`: the file's endpoint. Nothing listens; port and host are of no matter. */
export function serve(first: Handler | Options, second?: Handler): object {
  const options: Options = typeof first === "function" ? (typeof second === "object" ? second : {}) : first;
  const handler = typeof first === "function" ? first : (second ?? first.handler);
  if (typeof handler !== "function") throw new TypeError("Deno.serve needs a handler.");
  define({ kind: "http", options: {}, handler: handlerOf(handler, options) });
  const addr = { transport: "tcp", hostname: options.hostname ?? "0.0.0.0", port: options.port ?? 8000 } as const;
  options.onListen?.(addr);
  return {
    addr,
    // Modules wait for it at their end; one that waited for ever would never be loaded.
    finished: Promise.resolve(),
    shutdown: async () => {},
    ref() {},
    unref() {},
    [Symbol.asyncDispose]: async () => {},
  };
}

const completed = Promise.resolve();

export function handlerOf(handler: Handler, { onError }: Pick<Options, "onError">) {
  const call = (request: Request): Response | Promise<Response> => handler(request, infoOf(request));
  if (onError === undefined) return call;
  return async (request: Request, _context: Context): Promise<Response> => {
    try {
      return await call(request);
    } catch (error) {
      return await onError(error);
    }
  };
}

/** Made when it is looked at, which is rare. */
function infoOf(request: Request): Info {
  return {
    get remoteAddr() {
      // The server has put there whom it believes to be the caller.
      const hostname = request.headers.get("x-forwarded-for")?.split(",")[0]?.trim() ?? "127.0.0.1";
      return { transport: "tcp", hostname, port: 0 } as const;
    },
    completed,
  };
}
