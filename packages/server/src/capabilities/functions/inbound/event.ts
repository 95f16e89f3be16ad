import { createHash } from "node:crypto";
import type { WebhookOptions } from "@mainstay/functions";
import type { Json } from "../../../platform/jobs/types.ts";
import { withoutNul } from "../nul.ts";
import type { InboundEvent, InboundRequest } from "./types.ts";

/** Longer ids are known by their hash, in characters. */
const longestId = 200;

/** What has come, by the provider's words; `null` when the body is no JSON. */
export function eventOf(options: WebhookOptions, { headers, body }: InboundRequest): InboundEvent | null {
  const json = parse(body);
  if (json === undefined) return null;
  const hash = `sha256:${createHash("sha256").update(body).digest("hex")}`;
  const { given, type, isSigned } = namesOf(options, headers, json);
  const id = given === null || given === "" ? hash : bounded(given);
  return { id, type, body: json, marks: isSigned || id === hash ? [id] : [id, hash] };
}

/** `isSigned`: the id is part of what the signature covers. */
function namesOf(
  options: WebhookOptions,
  headers: ReadonlyMap<string, string>,
  body: Json,
): { readonly given: string | null; readonly type: string | null; readonly isSigned: boolean } {
  switch (options.provider) {
    case "stripe":
      return { given: textAt(body, ["id"]), type: textAt(body, ["type"]), isSigned: true };
    case "github":
      return {
        given: headers.get("x-github-delivery") ?? null,
        type: headers.get("x-github-event") ?? null,
        isSigned: false,
      };
    case "standard":
      return { given: headers.get("webhook-id") ?? null, type: textAt(body, ["type"]), isSigned: true };
    case "hmac": {
      const type = textAt(body, ["type"]);
      const { id } = options;
      if (id === undefined) return { given: null, type, isSigned: true };
      if ("path" in id) return { given: textAt(body, id.path.split(".")), type, isSigned: true };
      // Bodies without anything of their own in them may come again rightly: whoever names a header says that ids tell them apart.
      return { given: headers.get(id.header.toLowerCase()) ?? null, type, isSigned: true };
    }
  }
}

function textAt(body: Json, path: readonly string[]): string | null {
  let at: Json | undefined = body;
  for (const name of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return null;
    at = (at as Readonly<Record<string, Json | undefined>>)[name];
  }
  return typeof at === "string" ? at : typeof at === "number" ? String(at) : null;
}

const bounded = (id: string): string =>
  id.length <= longestId ? id : `sha256:${createHash("sha256").update(id).digest("hex")}`;

/** `undefined` for what is no JSON in UTF-8. */
function parse(body: Buffer): Json | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    return withoutNul(JSON.parse(text) as Json, text);
  } catch {
    return undefined;
  }
}
