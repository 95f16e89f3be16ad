import { isBucketId, isKey } from "../names.ts";

/** Which upload a URL speaks of. */
export interface UploadName {
  readonly bucketId: string;
  readonly key: string;
  readonly version: string;
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const base64url = /^[A-Za-z0-9_-]{1,2048}$/;

/** The last part of an upload's URL: base64url of `bucket/key/version`, as clients of Supabase know it. */
export function idOf({ bucketId, key, version }: UploadName): string {
  return Buffer.from(`${bucketId}/${key}/${version}`).toString("base64url");
}

/** What an id says; `null` when it is none of ours. That there is such an upload, of that bucket and key, is another matter (threat S01). */
export function nameOf(id: string): UploadName | null {
  if (!base64url.test(id)) return null;
  const text = Buffer.from(id, "base64url").toString("utf8");
  const first = text.indexOf("/");
  const last = text.lastIndexOf("/");
  if (first <= 0 || last <= first) return null;
  const [bucketId, key, version] = [text.slice(0, first), text.slice(first + 1, last), text.slice(last + 1)];
  const name = { bucketId, key, version };
  // One spelling each: an id that decodes to the same but is written otherwise is not ours.
  return isBucketId(bucketId) && isKey(key) && uuid.test(version) && idOf(name) === id ? name : null;
}

/** The id of an upload that another of our URLs names, absolute or not; `null` when it is no URL of an upload. */
export function nameOfUrl(url: string, mount: string): UploadName | null {
  const path = /^(?:https?:\/\/[^/?#]+)?([^?#]*)$/i.exec(url)?.[1];
  // Proxies may serve us under a prefix, so the mount is looked for, not expected at the beginning.
  const match = path === undefined ? null : /^(.*)\/([A-Za-z0-9_-]+)$/.exec(path);
  if (match === null) return null;
  const [, parent = "", id = ""] = match;
  return parent.endsWith(mount) || parent.endsWith(`${mount}/sign`) ? nameOf(id) : null;
}
