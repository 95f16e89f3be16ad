import { problems } from "../problems.ts";
import { readMetadata as readUserMetadata } from "../uploads/index.ts";
import { resumableProblems } from "./problems.ts";

/** What a client says of a file before it comes. */
export interface UploadMetadata {
  readonly bucketId: string;
  readonly key: string;
  readonly contentType: string;
  /** As it is sent with the object later. */
  readonly cacheControl: string;
  readonly userMetadata: Readonly<Record<string, unknown>> | null;
}

const pair = /^([!-+\--~]+)(?: +([A-Za-z0-9+/]+={0,2})?)?$/;
/** A name is what it says, its byte order mark too: left out, it would be another than by every other way in (threat S01). */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** The most characters of the header, which is kept with the upload. */
const maxHeaderChars = 32_768;

/**
 * The pairs of an `Upload-Metadata` header: `name base64, name base64, name` (TUS 1.0.0, creation).
 * @throws Problem `InvalidRequest` for anything else, and for a name that is there twice
 */
export function readPairs(header: string): ReadonlyMap<string, string> {
  if (header.length > maxHeaderChars) throw refused();
  const pairs = new Map<string, string>();
  for (const text of header.split(",")) {
    if (text.trim() === "" && header.trim() === "") continue;
    const match = pair.exec(text.trim());
    const name = match?.[1];
    if (name === undefined || pairs.has(name)) throw refused();
    pairs.set(name, decode(match?.[2] ?? ""));
  }
  return pairs;
}

function decode(base64: string): string {
  const bytes = Buffer.from(base64, "base64");
  // Node leaves out what it cannot read; without padding is how some clients write it.
  if (bytes.toString("base64").replace(/=+$/, "") !== base64.replace(/=+$/, "")) throw refused();
  try {
    return utf8.decode(bytes);
  } catch {
    throw refused();
  }
}

const refused = () =>
  resumableProblems.invalidHeader("Upload-Metadata", "pairs of a name and its value in base64, each name once");

/** What the header says of a file. @throws Problem `InvalidRequest` */
export function readMetadata(header: string): UploadMetadata {
  const pairs = readPairs(header);
  return {
    bucketId: required(pairs, "bucketName"),
    key: required(pairs, "objectName"),
    contentType: pairs.get("contentType") || "application/octet-stream",
    cacheControl: cacheControlOf(pairs.get("cacheControl")),
    userMetadata: userMetadataOf(pairs.get("metadata")),
  };
}

function required(pairs: ReadonlyMap<string, string>, name: string): string {
  const value = pairs.get(name);
  if (value === undefined || value === "") throw problems.invalidRequest(`Upload-Metadata must have ${name}.`);
  return value;
}

/** Clients give seconds; anything else is what Supabase's server makes of it. */
function cacheControlOf(value: string | undefined): string {
  return value !== undefined && /^\d{1,10}$/.test(value) ? `max-age=${Number(value)}` : "no-cache";
}

function userMetadataOf(value: string | undefined): Readonly<Record<string, unknown>> | null {
  if (value === undefined || value === "") return null;
  try {
    const metadata = readUserMetadata(value);
    if (metadata !== null) return metadata;
  } catch {
    // Said below, as for any other value.
  }
  throw problems.invalidRequest("The metadata in Upload-Metadata must be a JSON object.");
}
