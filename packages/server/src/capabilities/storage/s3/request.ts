import type { Principal } from "../../../kernel/principal.ts";
import type { Call, Reply } from "../../../kernel/route.ts";
import type { Payload } from "./payload/payload.ts";
import type { Element } from "./xml/write.ts";
import { writeDocument } from "./xml/write.ts";

/** A request whose signature is good, in S3's terms. */
export interface S3Request {
  readonly call: Call;
  readonly who: Principal;
  /** `""` for none. */
  readonly bucket: string;
  /** `""` for none. */
  readonly key: string;
  /** Whether a URL is all that the caller has: a browser may follow it. */
  readonly isPresigned: boolean;
  /** Of the query, decoded; the last of each name. */
  readonly parameters: ReadonlyMap<string, string>;
  /** The body, verified as it is read. Opened once. */
  payload(): Payload;
}

export type Handler = (request: S3Request) => Promise<Reply>;

/** A header's text; `null` when it was not sent. */
export function headerOf({ call }: Pick<S3Request, "call">, name: string): string | null {
  const value = call.headers[name];
  return typeof value === "string" ? value : null;
}

/** An answer in XML. */
export const xml = (root: Element, headers: readonly string[] = [], status = 200): Reply => ({
  status,
  headers: ["Content-Type", "application/xml", ...headers],
  body: writeDocument(root),
});
