import type { InstalledPackage } from "./packages.ts";

/** What one build has read and decided: the next one is needed when any of it is another. */
export interface BuildNotes {
  /** Files of the project (and workspaces), absolute, with the hash of the bytes that were built. */
  readonly inputs: Map<string, string>;
  /** Packages that imports led to, by the folder they were looked for from and their name. */
  readonly packages: Map<string, PackageUse>;
  /** Sources that speak of `Deno`, by absolute path: looked at once more, for what there is not. */
  readonly denoSources: Map<string, string>;
  /** Specifiers that stand for something else, for the type checker: `npm:stripe@14` is `stripe`, or an absolute path; empty for what is only types. */
  readonly rewritten: Map<string, string>;
}

export interface PackageUse {
  readonly found: InstalledPackage;
  /** Absolute: the folder of the importing file. */
  readonly from: string;
  /** It is this server's copy. */
  readonly isOurs: boolean;
  /** It stays outside of the bundle: threads load it from where it is. */
  readonly isExternal: boolean;
}

export const newNotes = (): BuildNotes => ({
  inputs: new Map(),
  packages: new Map(),
  denoSources: new Map(),
  rewritten: new Map(),
});
