/** What functions find in the global scope besides what browsers have: the part of Deno's that this runtime has, and `EdgeRuntime`. */
export const globalDeclarations = `declare namespace Deno {
  interface ServeHandlerInfo {
    readonly remoteAddr: { readonly transport: "tcp"; readonly hostname: string; readonly port: number };
    readonly completed: Promise<void>;
  }
  type ServeHandler = (request: Request, info: ServeHandlerInfo) => Response | Promise<Response>;
  interface ServeOptions {
    readonly port?: number;
    readonly hostname?: string;
    readonly signal?: AbortSignal;
    readonly onError?: (error: unknown) => Response | Promise<Response>;
    readonly onListen?: (address: { readonly transport: "tcp"; readonly hostname: string; readonly port: number }) => void;
  }
  interface HttpServer {
    readonly finished: Promise<void>;
    readonly addr: { readonly transport: "tcp"; readonly hostname: string; readonly port: number };
    shutdown(): Promise<void>;
    ref(): void;
    unref(): void;
  }
  function serve(handler: ServeHandler): HttpServer;
  function serve(options: ServeOptions, handler: ServeHandler): HttpServer;
  function serve(options: ServeOptions & { readonly handler: ServeHandler }): HttpServer;
  interface Env {
    get(key: string): string | undefined;
    set(key: string, value: string): void;
    delete(key: string): void;
    has(key: string): boolean;
    toObject(): { [key: string]: string };
  }
  const env: Env;
  const version: { readonly deno: string; readonly v8: string; readonly typescript: string };
  const build: { readonly os: string; readonly arch: string; readonly target: string; readonly vendor: string };
  const args: string[];
  const pid: number;
  const mainModule: string;
  function cwd(): string;
  function readTextFile(path: string | URL): Promise<string>;
  function readFile(path: string | URL): Promise<Uint8Array<ArrayBuffer>>;
  function readTextFileSync(path: string | URL): string;
  function readFileSync(path: string | URL): Uint8Array<ArrayBuffer>;
  function inspect(value: unknown, options?: Record<string, unknown>): string;
  namespace errors {
    class NotFound extends Error {}
    class PermissionDenied extends Error {}
    class AlreadyExists extends Error {}
    class InvalidData extends Error {}
    class TimedOut extends Error {}
    class Interrupted extends Error {}
    class NotSupported extends Error {}
    class BadResource extends Error {}
    class ConnectionRefused extends Error {}
    class Http extends Error {}
  }
}
declare namespace EdgeRuntime {
  function waitUntil<T>(promise: Promise<T>): Promise<T>;
}
interface ImportMeta {
  readonly url: string;
  readonly main: boolean;
  readonly dirname: string;
  readonly filename: string;
}
`;

/** Files that are imported as text. */
export const textDeclarations = ["txt", "html", "md", "sql", "css"]
  .map((extension) => `declare module "*.${extension}" {\n  const text: string;\n  export default text;\n}\n`)
  .join("");
