import type { IncomingHttpHeaders } from "node:http";
import { Lru } from "../../../kernel/lru.ts";
import { problems } from "../problems.ts";
import { csvToJson } from "./csv.ts";
import { formToJson } from "./form.ts";
import { type JsonBody, scanJson } from "./json.ts";

/** A body as the dialect's operations use it. */
export interface Body {
  readonly mediaType: string;
  /** As it came. */
  readonly raw: Buffer;
  /** As JSON, whatever it came as; `null` for the media types only functions take. */
  readonly json: Buffer | null;
  readonly scan: JsonBody | null;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const mediaTypeForm = new RegExp(
  `^(${token}/${token})[ \\t]*(?:;[ \\t]*(?:${token}=(?:${token}|"[^"\\\\\\r\\n]*")[ \\t]*)?)*$`,
);

/**
 * The media type of a body: lower case, without parameters. Absent means JSON.
 * @throws PGRST102 for anything that RFC 9110 §8.3.1 does not allow, so that no two readers can disagree (threat B13).
 */
export function mediaTypeOf(headers: IncomingHttpHeaders): string {
  const sent = headers["content-type"];
  if (sent === undefined) return "application/json";
  const known = mediaTypes.get(sent);
  if (known !== undefined) return known;
  const mediaType = readMediaType(sent.trim());
  mediaTypes.set(sent, mediaType);
  return mediaType;
}

/** What was read lately: an app sends one or two texts, and two regular expressions cost more than the rest of its body. */
const mediaTypes = new Lru<string, string>(64);

function readMediaType(header: string): string {
  if (header === "") return "application/json";
  const match = header.length > 256 ? null : mediaTypeForm.exec(header);
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(header)?.[1]?.toLowerCase();
  if (match === null || (charset !== undefined && charset !== "utf-8" && charset !== "utf8")) {
    throw problems.invalidBody(`Content-Type not acceptable: ${header.slice(0, 100)}`);
  }
  return match[1]!.toLowerCase();
}

/**
 * Reads a body into what a write or a call needs to know of it.
 * @param allowsEmpty True for calls, where no body means no arguments.
 */
export function readBody(raw: Buffer, mediaType: string, maxKeys: number, allowsEmpty: boolean): Body {
  const asJson = (json: Buffer): Body => ({ mediaType, raw, json, scan: scanJson(json, maxKeys) });
  if (raw.length === 0 && allowsEmpty) return { ...asJson(Buffer.from("{}")), raw };
  switch (mediaType) {
    case "application/json":
    case "application/vnd.pgrst.object+json":
    case "application/vnd.pgrst.array+json":
      return asJson(raw);
    case "text/csv":
      return asJson(csvToJson(raw.toString("utf8")));
    case "application/x-www-form-urlencoded":
      return asJson(formToJson(raw.toString("utf8")));
    default:
      if (allowsEmpty) return { mediaType, raw, json: null, scan: null };
      throw problems.invalidBody(`Content-Type not acceptable: ${mediaType.slice(0, 100)}`);
  }
}
