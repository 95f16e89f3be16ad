import { syncBuiltinESMExports } from "node:module";
import { put } from "./put.ts";

type Exports = Record<string, unknown>;
type Call = (this: unknown, ...args: unknown[]) => unknown;

/**
 * All threads share the process's open files, and their numbers are easy to guess: the sockets of other functions are among them. A thread
 * uses by number only what it has opened itself.
 */
export function guardDescriptors(): void {
  const fs = process.getBuiltinModule("fs") as unknown as Exports;
  const own = new Set<unknown>();
  const assertOwn = (value: unknown): void => {
    if (typeof value !== "number" || own.has(value)) return;
    throw Object.assign(new Error(`EBADF: bad file descriptor, ${value}`), { code: "EBADF", errno: -9, syscall: "fs" });
  };
  for (const [name, member] of Object.entries(fs)) {
    if (typeof member !== "function" || /^[A-Z_]/.test(name) || name === "open" || name === "openSync") continue;
    const call = member as Call;
    replace(
      fs,
      name,
      function (this: unknown, ...args: unknown[]) {
        assertOwn(args[0]);
        // Streams take it among their options.
        if (/^create(?:Read|Write)Stream$/.test(name)) args[1] = withOwnDescriptor(args[1], assertOwn);
        const result = Reflect.apply(call, this, args);
        // Another may get the number now.
        if (name === "close" || name === "closeSync") own.delete(args[0]);
        return result;
      },
      call,
    );
  }
  const { open, openSync } = fs as { readonly open: Call; readonly openSync: Call };
  replace(
    fs,
    "openSync",
    function (this: unknown, ...args: unknown[]) {
      const descriptor = Reflect.apply(openSync, this, args);
      own.add(descriptor);
      return descriptor;
    },
    openSync,
  );
  replace(
    fs,
    "open",
    function (this: unknown, ...args: unknown[]) {
      const done = args.pop();
      if (typeof done !== "function") return Reflect.apply(open, this, [...args, done]);
      return Reflect.apply(open, this, [
        ...args,
        (error: unknown, descriptor: unknown) => {
          if (!error) own.add(descriptor);
          Reflect.apply(done as Call, undefined, [error, descriptor]);
        },
      ]);
    },
    open,
  );
  for (const name of ["ReadStream", "WriteStream", "FileReadStream", "FileWriteStream"]) {
    const real = fs[name] as new (path: unknown, options: unknown) => object;
    replace(
      fs,
      name,
      function (path: unknown, options: unknown) {
        return Reflect.construct(real, [path, withOwnDescriptor(options, assertOwn)], new.target ?? real);
      },
      real,
    );
  }
  syncBuiltinESMExports();
}

function withOwnDescriptor(options: unknown, assertOwn: (value: unknown) => void): unknown {
  if (typeof options !== "object" || options === null) return options;
  // Read once: what is asked about is what is used.
  const copy = { ...options } as { readonly fd?: unknown };
  assertOwn(copy.fd);
  return copy;
}

/** With all that hangs on the real one: `fs.exists[promisify.custom]`, the prototype of a class. */
function replace(exports: Exports, name: string, value: (...args: never) => unknown, real: object): void {
  for (const key of Reflect.ownKeys(real)) {
    const descriptor = Object.getOwnPropertyDescriptor(real, key)!;
    if (key !== "prototype" || descriptor.writable === true) Object.defineProperty(value, key, descriptor);
  }
  put(exports, { [name]: value });
}
