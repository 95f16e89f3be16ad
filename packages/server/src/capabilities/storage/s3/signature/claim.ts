import { problems } from "../problems.ts";
import type { SignedRequest } from "./canonical.ts";
import { readQuery } from "./encoding.ts";
import { algorithm, type Scope } from "./signing.ts";
import { readTime, writeTime } from "./times.ts";

/** What a request says of its signature, before anything of it is believed. */
export interface Claim {
  /** `header`: good for a moment. `presigned`: good for as long as it says. */
  readonly kind: "header" | "presigned";
  readonly accessKeyId: string;
  readonly scope: Scope;
  /** As it is signed: `20261121T211100Z`. */
  readonly time: string;
  readonly timeMs: number;
  /** Life of a presigned URL, in ms; 0 for others. */
  readonly lifetimeMs: number;
  /** Lower-case, in the order they were signed in. */
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** `x-amz-content-sha256`: a hash in hex, or a name for how the body is signed. */
  readonly payloadHash: string;
  readonly sessionToken: string | null;
}

/** Longest life of a presigned URL: seven days. */
const maxLifetimeSeconds = 604_800;
const maxSignedHeaders = 100;

type Refuse = (message: string) => Error;

/** Reads what a request says of its signature. @returns `null` when it says nothing. @throws Problem for what is not Signature Version 4 */
export function readClaim(request: SignedRequest): Claim | null {
  const isPresigned = /(?:^|&)X-Amz-(?:Algorithm|Signature|Credential)=/.test(request.query);
  const { authorization } = request.headers;
  if (isPresigned && authorization !== undefined) {
    throw problems.invalidRequest("Only one auth mechanism allowed: either the query or the Authorization header.");
  }
  if (isPresigned) return presignedClaim(request);
  return authorization === undefined ? null : headerClaim(request, authorization);
}

function headerClaim({ headers }: SignedRequest, authorization: string): Claim {
  const refuse: Refuse = (message) => problems.authorizationHeaderMalformed(message);
  const [, given, rest = ""] = /^(\S+)\s+(.*)$/.exec(authorization) ?? [];
  if (given !== algorithm) throw refuse(`The authorization mechanism must be ${algorithm}.`);
  const parts = new Map<string, string>();
  for (const part of rest.split(",")) {
    const [, name, value] = /^\s*([A-Za-z]+)=(\S+)\s*$/.exec(part) ?? [];
    if (name === undefined || value === undefined || parts.has(name)) {
      throw refuse("The authorization header must be Credential, SignedHeaders and Signature.");
    }
    parts.set(name, value);
  }
  const time = timeOf(headers["x-amz-date"], headers.date);
  const payloadHash = single(headers["x-amz-content-sha256"]);
  if (payloadHash === null) throw problems.missingSecurityHeader("x-amz-content-sha256");
  return {
    kind: "header",
    ...credential(parts.get("Credential"), time, refuse),
    lifetimeMs: 0,
    signedHeaders: signedHeaders(parts.get("SignedHeaders"), refuse),
    signature: signature(parts.get("Signature"), refuse),
    payloadHash,
    sessionToken: single(headers["x-amz-security-token"]),
  };
}

function presignedClaim({ query, headers }: SignedRequest): Claim {
  const refuse: Refuse = (message) => problems.authorizationQueryParametersError(message);
  const parameters = new Map<string, string>();
  for (const [name, value] of readQuery(query)) {
    if (!name.startsWith("X-Amz-")) continue;
    if (parameters.has(name)) throw refuse(`${name} must be given once.`);
    parameters.set(name, value);
  }
  if (parameters.get("X-Amz-Algorithm") !== algorithm) throw refuse(`X-Amz-Algorithm must be ${algorithm}.`);
  const lifetime = parameters.get("X-Amz-Expires") ?? "";
  const isLifetime = /^\d{1,7}$/.test(lifetime) && Number(lifetime) >= 1;
  if (!isLifetime) throw refuse("X-Amz-Expires must be a number of seconds.");
  if (Number(lifetime) > maxLifetimeSeconds) throw refuse("X-Amz-Expires must be less than a week (in seconds).");
  return {
    kind: "presigned",
    ...credential(parameters.get("X-Amz-Credential"), parameters.get("X-Amz-Date") ?? "", refuse),
    lifetimeMs: Number(lifetime) * 1000,
    signedHeaders: signedHeaders(parameters.get("X-Amz-SignedHeaders"), refuse),
    signature: signature(parameters.get("X-Amz-Signature"), refuse),
    payloadHash:
      single(headers["x-amz-content-sha256"]) ?? parameters.get("X-Amz-Content-Sha256") ?? "UNSIGNED-PAYLOAD",
    sessionToken: parameters.get("X-Amz-Security-Token") ?? null,
  };
}

/** `<access key id>/<day>/<region>/<service>/aws4_request`: where and by whom, held against the time beside it. */
export function credential(
  text: string | undefined,
  time: string,
  refuse: Refuse,
): Pick<Claim, "accessKeyId" | "scope" | "time" | "timeMs"> {
  const timeMs = readTime(time);
  if (timeMs === null) throw problems.accessDenied("AWS authentication requires a valid Date or x-amz-date header");
  const [accessKeyId = "", day = "", region = "", service = "", end, ...more] = (text ?? "").split("/");
  if (accessKeyId === "" || region === "" || end !== "aws4_request" || more.length > 0) {
    throw refuse("The credential must be <access key id>/<date>/<region>/s3/aws4_request.");
  }
  if (service !== "s3") throw refuse("The credential is for another service: this endpoint is s3.");
  if (day !== time.slice(0, 8)) throw refuse("The date of the credential is not that of the request.");
  return { accessKeyId, scope: { day, region, service }, time, timeMs };
}

/** The name of what was signed: with `host`, or the request could be sent elsewhere. */
function signedHeaders(text: string | undefined, refuse: Refuse): readonly string[] {
  const names = (text ?? "").split(";");
  const isList = names.length <= maxSignedHeaders && names.every((name) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name));
  if (!isList || new Set(names).size < names.length) throw refuse("SignedHeaders must be lower-case names.");
  if (!names.includes("host")) throw refuse("SignedHeaders must contain host.");
  return names;
}

export function signature(text: string | undefined, refuse: Refuse): string {
  if (text === undefined || !/^[0-9a-f]{64}$/.test(text)) throw refuse("The signature must be 64 hexadecimal digits.");
  return text;
}

/** `x-amz-date`, or the `Date` header of clients that may set it. */
function timeOf(amzDate: string | string[] | undefined, date: string | undefined): string {
  const given = single(amzDate);
  if (given !== null) return given;
  if (date === undefined) return "";
  const ms = readTime(date) ?? Date.parse(date);
  return Number.isNaN(ms) ? "" : writeTime(ms);
}

const single = (value: string | string[] | undefined): string | null => (typeof value === "string" ? value : null);
