import { problems } from "./problems.ts";
import { decodeUri } from "./signature/encoding.ts";

/** Where a request goes: path style, `/<bucket>/<key>` behind the mount. */
export interface Location {
  readonly bucket: string;
  readonly key: string;
}

/**
 * Reads the path as it was sent: slashes of a key are its own, two of them too, and only what is behind the bucket is decoded, once.
 * @throws Problem `InvalidURI`
 */
export function locationOf(path: string, mount: string): Location {
  const rest = path.slice(mount.length).replace(/^\//, "");
  const slash = rest.indexOf("/");
  const bucket = decodeUri(slash === -1 ? rest : rest.slice(0, slash));
  const key = decodeUri(slash === -1 ? "" : rest.slice(slash + 1));
  if (bucket.includes("\0") || key.includes("\0")) throw problems.invalidUri();
  return { bucket, key };
}

/** `x-amz-copy-source`: `/bucket/key` or `bucket/key`, encoded. @throws Problem `InvalidArgument` */
export function copySourceOf(text: string): Location {
  const [path = "", version] = text.split("?", 2);
  if (version !== undefined && version !== "versionId=null") throw problems.notImplemented("versions");
  const source = locationOf(path.startsWith("/") ? path : `/${path}`, "");
  if (source.bucket === "" || source.key === "") {
    throw problems.invalidArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
  }
  return source;
}
