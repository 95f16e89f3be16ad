import type { Call } from "../../../kernel/route.ts";
import { readTransformation } from "../images/parameters.ts";
import { problems } from "../problems.ts";
import { signedProblems } from "./problems.ts";

/** How an image is to be, as it was asked for: whoever serves it reads it again, with the limits of then. */
export type Transformations = Readonly<Record<string, unknown>>;

type Body = Readonly<Record<string, unknown>>;

/** @throws Problem `InvalidRequest` */
export async function readBody(call: Call): Promise<Body> {
  let value: unknown;
  try {
    value = JSON.parse((await call.body()).toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw problems.invalidRequest("The body is not JSON.");
    throw error;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw problems.invalidRequest("body must be object");
  }
  return value as Body;
}

/** Seconds. @throws Problem for what is no whole number of them, or longer than links may last */
export function readExpiresIn({ expiresIn }: Body, maxSeconds: number): number {
  if (expiresIn === undefined) throw problems.invalidRequest("body must have required property 'expiresIn'");
  const seconds = typeof expiresIn === "string" && /^\d{1,12}$/.test(expiresIn) ? Number(expiresIn) : expiresIn;
  if (typeof seconds !== "number" || !Number.isSafeInteger(seconds) || seconds < 1) {
    throw problems.invalidRequest("body/expiresIn must be an integer of at least 1");
  }
  if (seconds > maxSeconds) throw signedProblems.tooLong(maxSeconds);
  return seconds;
}

/** `null` where there is none, or an empty one, as some clients send. @throws Problem `InvalidRequest` for what cannot be served */
export function readTransform({ transform }: Body): Transformations | null {
  if (transform === undefined || transform === null) return null;
  if (typeof transform !== "object" || Array.isArray(transform)) {
    throw problems.invalidRequest("body/transform must be object");
  }
  if (Object.keys(transform).length === 0) return null;
  readTransformation(transform as Transformations, Number.MAX_SAFE_INTEGER, "body/transform");
  return transform as Transformations;
}

/** @throws Problem for anything but a list of texts that is short enough */
export function readPaths({ paths }: Body, maxPaths: number): readonly string[] {
  if (!Array.isArray(paths) || !paths.every((path) => typeof path === "string")) {
    throw problems.invalidRequest("body/paths must be an array of strings");
  }
  if (paths.length === 0) throw problems.invalidRequest("body/paths must not be empty");
  if (paths.length > maxPaths) throw problems.invalidRequest(`body/paths must have at most ${maxPaths} items`);
  return paths;
}
