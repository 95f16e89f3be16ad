import type { IncomingHttpHeaders } from "node:http";
import type { Call, Method } from "../../../kernel/route.ts";
import { resumableProblems } from "./problems.ts";

/** https://tus.io/protocols/resumable-upload */
export const tusVersion = "1.0.0";
export const tusExtensions =
  "creation,creation-with-upload,creation-defer-length,expiration,termination,checksum,concatenation";
export const tusHeaders: readonly string[] = ["Tus-Resumable", tusVersion];
const bytesType = "application/offset+octet-stream";

/** @throws Problem `TusVersion` (412) */
export function requireVersion(headers: IncomingHttpHeaders): void {
  if (headers["tus-resumable"] !== tusVersion) throw resumableProblems.unsupportedVersion();
}

/** What is to be done: `POST` may say that it stands for another method, where a proxy lets no other through. */
export function methodOf({ method, headers }: Pick<Call, "method" | "headers">): Method {
  const meant = headers["x-http-method-override"];
  if (method !== "POST" || typeof meant !== "string") return method;
  const upper = meant.trim().toUpperCase();
  return upper === "PATCH" || upper === "DELETE" || upper === "HEAD" ? upper : method;
}

/** A header that is a count of bytes; `null` when it is not there. @throws Problem `InvalidRequest` */
export function bytesIn(headers: IncomingHttpHeaders, name: "upload-length" | "upload-offset"): number | null {
  const text = headers[name];
  if (text === undefined) return null;
  const bytes = typeof text === "string" && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(bytes)) {
    throw resumableProblems.invalidHeader(name === "upload-length" ? "Upload-Length" : "Upload-Offset", "a number");
  }
  return bytes;
}

/** How long a new upload will be: in bytes, or `null` where it is said later. @throws Problem `InvalidRequest` */
export function lengthOf(headers: IncomingHttpHeaders): number | null {
  const length = bytesIn(headers, "upload-length");
  const deferred = headers["upload-defer-length"];
  if (deferred !== undefined && deferred !== "1") throw resumableProblems.invalidHeader("Upload-Defer-Length", "1");
  if ((length === null) === (deferred === undefined)) {
    throw resumableProblems.invalidHeader("Upload-Length", "there, or else Upload-Defer-Length: 1");
  }
  return length;
}

/** Whether the request brings bytes. @throws Problem `InvalidContentType` when they are not said to be such */
export function bringsBytes(headers: IncomingHttpHeaders): boolean {
  return headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase() === bytesType;
}

/** What an upload is to others. */
export type Concat =
  | { readonly kind: "whole" }
  | { readonly kind: "partial" }
  | { readonly kind: "final"; readonly urls: readonly string[] };

/** Most uploads that are put together into one. */
const maxParts = 1_000;

/** `Upload-Concat` (TUS 1.0.0, concatenation). @throws Problem `InvalidRequest` */
export function concatOf(headers: IncomingHttpHeaders): Concat {
  const text = headers["upload-concat"];
  if (text === undefined) return { kind: "whole" };
  if (text === "partial") return { kind: "partial" };
  const urls = typeof text === "string" && text.startsWith("final;") ? text.slice(6).trim().split(/ +/) : [];
  if (urls.length === 0 || urls.length > maxParts || urls.includes("")) {
    throw resumableProblems.invalidHeader("Upload-Concat", `"partial", or "final;" and the URLs of partial uploads`);
  }
  return { kind: "final", urls };
}

/** RFC 9110 §5.6.7. */
export const httpDate = (unixMs: number): string => new Date(unixMs).toUTCString();
