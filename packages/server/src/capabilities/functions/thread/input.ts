import type { Definition } from "@mainstay/functions/definition";
import type { Json } from "../../../platform/jobs/types.ts";

/** Which member of a handler's first argument is a time: in JSON it is text or Unix ms. */
const times: Readonly<Record<Exclude<Definition["kind"], "http">, string | null>> = {
  job: null,
  batch: null,
  cron: "scheduledAt",
  change: "committedAt",
  webhook: "receivedAt",
};

/** The first argument of a handler that is no endpoint, of the JSON that it travelled as. */
export function createInput(definition: Definition, input: Json): unknown {
  const time = definition.kind === "http" ? null : times[definition.kind];
  if (time === null || typeof input !== "object" || input === null || Array.isArray(input)) return input;
  const given = (input as Readonly<Record<string, Json | undefined>>)[time];
  return typeof given === "string" || typeof given === "number" ? { ...input, [time]: new Date(given) } : input;
}
