import { dirname, resolve as resolvePath } from "node:path";
import type { DeclaredBucket } from "./capabilities/storage/declared/types.ts";
import { isBucketId } from "./capabilities/storage/names.ts";
import { SettingError } from "./kernel/settings.ts";

/** In that product's file `MB` and `MiB` are the same, 1024 of 1024; in its API they are not. */
const exponents: Readonly<Record<string, number>> = { "": 0, k: 1, m: 2, g: 3, t: 4 };

/** `"50MiB"`, `"20mb"`, `5242880`: in bytes. What is none of these is left for who reads it to refuse. */
export function bytes(value: unknown): unknown {
  const match = typeof value === "string" ? /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*$/i.exec(value) : null;
  return match === null ? value : Math.floor(Number(match[1]) * 1024 ** exponents[match[2]!.toLowerCase()]!);
}

/**
 * The tables of `[storage.buckets]`. What one leaves out is left as it is in the database; sizes of 0 and empty lists set no limit, as there.
 * https://supabase.com/docs/guides/local-development/cli/config#storage.buckets.bucket_name.public
 * @throws SettingError naming the key
 */
export function readBuckets(
  table: unknown,
  path: string,
  resolve: (value: unknown) => unknown,
): readonly DeclaredBucket[] {
  if (!isTable(table)) return [];
  return Object.entries(table).map(([id, given]): DeclaredBucket => {
    const refuse = (key: string, what: string): never => {
      throw new SettingError(`${path}: storage.buckets.${id}${key} ${what}.`);
    };
    if (!isBucketId(id)) refuse("", "is no name for a bucket");
    if (!isTable(given)) return refuse("", "must be a table");
    const said = (key: string): unknown => resolve(given[key]);
    const isPublic = said("public");
    const limitBytes = bytes(said("file_size_limit"));
    const types = said("allowed_mime_types");
    const folder = said("objects_path");
    return {
      id,
      ...(isPublic === undefined ? {} : { isPublic: flagOf(isPublic) ?? refuse(".public", "must be true or false") }),
      ...(limitBytes === undefined
        ? {}
        : {
            fileSizeLimitBytes:
              (sizeOf(limitBytes) ?? refuse(".file_size_limit", 'must be a size, such as "50MiB"')) || null,
          }),
      ...(types === undefined
        ? {}
        : {
            allowedMimeTypes: orNull(textsOf(types) ?? refuse(".allowed_mime_types", "must be a list of media types")),
          }),
      folder:
        folder === undefined || folder === ""
          ? null
          : typeof folder === "string"
            ? resolvePath(dirname(path), folder)
            : refuse(".objects_path", "must be a folder"),
    };
  });
}

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `env(NAME)` gives text. */
const flagOf = (value: unknown): boolean | null =>
  value === true || value === "true" ? true : value === false || value === "false" ? false : null;

const sizeOf = (value: unknown): number | null =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : null;

const textsOf = (value: unknown): readonly string[] | null =>
  Array.isArray(value) && value.every((item) => typeof item === "string") ? value : null;

const orNull = (list: readonly string[]): readonly string[] | null => (list.length === 0 ? null : list);
