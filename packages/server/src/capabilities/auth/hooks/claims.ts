import { isObject } from "../request.ts";
import { hookProblems } from "./problems.ts";
import type { Claims } from "./types.ts";

type Check = (value: unknown) => boolean;
const isText: Check = (value) => typeof value === "string";
const isTime: Check = (value) => typeof value === "number" && Number.isInteger(value) && value > 0;

/** What every access token has, whatever a hook makes of it (Supabase docs, Custom Access Token Hook). */
const required: Readonly<Record<string, Check>> = {
  aud: (value) => isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText)),
  exp: isTime,
  iat: isTime,
  sub: isText,
  email: isText,
  phone: isText,
  role: (value) => typeof value === "string" && value !== "",
  aal: (value) => value === "aal1" || value === "aal2" || value === "aal3",
  session_id: isText,
  is_anonymous: (value) => typeof value === "boolean",
};

/** What the server knows better than any hook: who it is, which session, how it was proved, and since when. */
const fixed = ["sub", "session_id", "aal", "is_anonymous", "iat"] as const;

/** Roles of keys and administrators. A user is a user, whatever a hook says (threats A18, B18). */
const keyRoles = ["service_role", "supabase_admin", "postgres"];

/**
 * Holds a hook's claims against those it was given. It may add claims, leave out what is not required, choose another role of the
 * app's and end the token sooner; it may not make the token somebody else's.
 * @throws Problem 500 naming the claim
 */
export function checkedClaims(name: string, given: Claims, answer: unknown): Claims {
  const refuse = (message: string) =>
    hookProblems.failed(name, `output claims do not conform to the expected schema: ${message}`);
  if (answer === undefined) throw hookProblems.failed(name, "output claims field is missing");
  if (!isObject(answer)) throw refuse("claims is not an object");
  for (const [claim, isValid] of Object.entries(required)) {
    if (!Object.hasOwn(answer, claim)) throw refuse(`${claim} is required`);
    if (!isValid(answer[claim])) throw refuse(`${claim} is of the wrong type`);
  }
  for (const claim of fixed) if (answer[claim] !== given[claim]) throw refuse(`${claim} must not be changed`);
  if (Object.hasOwn(answer, "iss") && answer.iss !== given.iss) throw refuse("iss must not be changed");
  if (Number(answer.exp) > Number(given.exp)) throw refuse("exp must not be later");
  if (keyRoles.includes(String(answer.role))) throw refuse("role is not one a user can have");
  return answer;
}
