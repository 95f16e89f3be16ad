import { bucketOf, type S3Needs } from "../needs.ts";
import { problems } from "../problems.ts";
import { type Handler, type S3Request, xml } from "../request.ts";
import { encodeUri } from "../signature/encoding.ts";
import type { ListedLine } from "../store.ts";
import type { Element } from "../xml/write.ts";
import { timeOf } from "./buckets.ts";

/** Most lines of a page, as S3 has it. */
const maxKeysLimit = 1_000;

/** A number of lines as it is asked for. More than the limit is the limit. @throws Problem `InvalidArgument` */
export function readCount({ parameters }: Pick<S3Request, "parameters">, name: string, limit: number): number {
  const text = parameters.get(name) ?? "";
  if (text === "") return limit;
  if (!/^\d{1,9}$/.test(text))
    throw problems.invalidArgument(`Provided ${name} not an integer or within integer range`);
  return Math.min(Number(text), limit);
}

/** How names are written: as they are, or percent-encoded for those that XML cannot write. @throws Problem `InvalidArgument` */
export function nameWriter({ parameters }: Pick<S3Request, "parameters">): (name: string) => string {
  const encoding = parameters.get("encoding-type");
  if (encoding === undefined || encoding === "") return (name) => name;
  if (encoding !== "url") throw problems.invalidArgument("Invalid Encoding Method specified in Request");
  return (name) => encodeUri(name).replaceAll("%2F", "/");
}

/** Where the next page begins: opaque to clients, and no secret, for it says what the page before has shown. */
const tokenOf = (name: string): string => Buffer.from(`1${name}`).toString("base64url");

function nameOf(token: string): string {
  const text = Buffer.from(token, "base64url").toString("utf8");
  if (!text.startsWith("1") || tokenOf(text.slice(1)) !== token || text.includes("\0")) {
    throw problems.invalidArgument("The continuation token provided is incorrect");
  }
  return text.slice(1);
}

const plain = (text: string | undefined): string => {
  if (text?.includes("\0")) throw problems.invalidArgument("A parameter has a character that no name has.");
  return text ?? "";
};

/** ListObjects, version 1 and 2: as the policies show the bucket to the caller. */
export function listOperations(needs: S3Needs) {
  const { store } = needs;

  const page = async (request: S3Request, after: string, maxKeys: number) => {
    const { who, bucket, parameters } = request;
    await bucketOf(needs, bucket);
    const prefix = plain(parameters.get("prefix"));
    const delimiter = plain(parameters.get("delimiter"));
    const order = { bucket, prefix, delimiter, after };
    const lines =
      maxKeys === 0 ? [] : await store.list(who, "storage.s3.object.list", { ...order, limit: maxKeys + 1 });
    const shown = lines.slice(0, maxKeys);
    return { prefix, delimiter, shown, isTruncated: lines.length > maxKeys, last: shown.at(-1)?.name ?? "" };
  };

  const linesOf = (shown: readonly ListedLine[], write: (name: string) => string, withOwner: boolean): Element[] => {
    const objects = shown.filter(({ isPrefix }) => !isPrefix);
    const prefixes = shown.filter(({ isPrefix }) => isPrefix);
    return [
      ...objects.map(
        ({ name, modifiedAt, etag, sizeBytes, ownerId }): Element => [
          "Contents",
          [
            ["Key", write(name)],
            ["LastModified", timeOf(modifiedAt)],
            ["ETag", etag ?? '""'],
            ["Size", sizeBytes ?? 0],
            withOwner ? ["Owner", [["ID", ownerId ?? ""]]] : null,
            ["StorageClass", "STANDARD"],
          ],
        ],
      ),
      ...prefixes.map(({ name }): Element => ["CommonPrefixes", [["Prefix", write(name)]]]),
    ];
  };

  const v1: Handler = async (request) => {
    const { bucket, parameters } = request;
    const write = nameWriter(request);
    const maxKeys = readCount(request, "max-keys", maxKeysLimit);
    const marker = plain(parameters.get("marker"));
    const { prefix, delimiter, shown, isTruncated, last } = await page(request, marker, maxKeys);
    return xml([
      "ListBucketResult",
      [
        ["Name", bucket],
        ["Prefix", write(prefix)],
        ["Marker", write(marker)],
        ["MaxKeys", maxKeys],
        delimiter === "" ? null : ["Delimiter", write(delimiter)],
        parameters.has("encoding-type") ? ["EncodingType", "url"] : null,
        ["IsTruncated", isTruncated],
        // Only with a delimiter: without one the last key says it (ListObjects).
        isTruncated && delimiter !== "" ? ["NextMarker", write(last)] : null,
        ...linesOf(shown, write, true),
      ],
    ]);
  };

  const v2: Handler = async (request) => {
    const { bucket, parameters } = request;
    const write = nameWriter(request);
    const maxKeys = readCount(request, "max-keys", maxKeysLimit);
    const token = parameters.get("continuation-token");
    const startAfter = plain(parameters.get("start-after"));
    const after = token === undefined ? startAfter : nameOf(token);
    const { prefix, delimiter, shown, isTruncated, last } = await page(request, after, maxKeys);
    return xml([
      "ListBucketResult",
      [
        ["Name", bucket],
        ["Prefix", write(prefix)],
        startAfter === "" ? null : ["StartAfter", write(startAfter)],
        ["KeyCount", shown.length],
        ["MaxKeys", maxKeys],
        delimiter === "" ? null : ["Delimiter", write(delimiter)],
        parameters.has("encoding-type") ? ["EncodingType", "url"] : null,
        ["IsTruncated", isTruncated],
        token === undefined ? null : ["ContinuationToken", token],
        isTruncated ? ["NextContinuationToken", tokenOf(last)] : null,
        ...linesOf(shown, write, parameters.get("fetch-owner") === "true"),
      ],
    ]);
  };

  return { v1, v2 };
}
