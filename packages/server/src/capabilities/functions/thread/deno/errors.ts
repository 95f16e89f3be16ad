const names = [
  "AddrInUse",
  "AddrNotAvailable",
  "AlreadyExists",
  "BadResource",
  "BrokenPipe",
  "Busy",
  "ConnectionAborted",
  "ConnectionRefused",
  "ConnectionReset",
  "FilesystemLoop",
  "Http",
  "Interrupted",
  "InvalidData",
  "IsADirectory",
  "NetworkUnreachable",
  "NotADirectory",
  "NotCapable",
  "NotConnected",
  "NotFound",
  "NotSupported",
  "PermissionDenied",
  "TimedOut",
  "UnexpectedEof",
  "WouldBlock",
  "WriteZero",
] as const;

type Name = (typeof names)[number];

/** `Deno.errors`: code asks with `instanceof`. */
export const errors = Object.fromEntries(
  names.map((name) => {
    const Named = class extends Error {
      override readonly name: string = name;
    };
    Object.defineProperty(Named, "name", { value: name });
    return [name, Named];
  }),
) as Readonly<Record<Name, ErrorConstructor>>;

const ofSystem: Readonly<Record<string, Name>> = {
  ENOENT: "NotFound",
  EACCES: "PermissionDenied",
  EPERM: "PermissionDenied",
  ERR_ACCESS_DENIED: "NotCapable",
  EISDIR: "IsADirectory",
  ENOTDIR: "NotADirectory",
  ELOOP: "FilesystemLoop",
};

/** Deno's error for one of Node's. */
export function denoError(error: unknown): unknown {
  const name = ofSystem[(error as NodeJS.ErrnoException).code ?? ""];
  return name === undefined ? error : new errors[name]((error as Error).message, { cause: error });
}
