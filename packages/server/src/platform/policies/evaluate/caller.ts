import type { Principal } from "../../../kernel/principal.ts";
import type { CallerFact } from "../compile/expression.ts";
import { type Json, member, parseJson, textOf } from "./json.ts";
import { failed, type Value } from "./values.ts";

/** A caller's claims as SQL would read them: from the text that SQL is given, so that nothing is lost in between. */
export interface CallerClaims {
  /** `undefined` when PostgreSQL would refuse the text. */
  readonly json: Json | undefined;
}

export const readClaims = (who: Principal): CallerClaims => ({ json: parseJson(who.claimsJson) });

/**
 * What a policy can know of who asks, with the settings of `platform/postgres/caller.ts` and the functions of
 * `migrations/0002_foundation.sql`.
 */
export function callerFact(what: CallerFact, who: Principal, { json }: CallerClaims): Value {
  // The functions read `request.jwt.claim.sub` first, and then the claims; an empty setting counts as none.
  const subject = who.subject || null;
  switch (what) {
    case "subject":
      return subject ?? claim(json, "sub");
    case "claimedRole": {
      const claimed = claim(json, "role");
      return claimed === null ? who.role || null : claimed;
    }
    case "email":
      return claim(json, "email");
    case "role":
      return who.role;
    case "claims":
      return json === undefined ? failed : { json };
    case "claimsText":
      return who.claimsJson;
    case "subjectSetting":
      return who.subject ?? "";
    case "roleSetting":
      return who.role;
  }
}

function claim(json: Json | undefined, key: string): Value {
  if (json === undefined) return failed;
  const found = member(json, key);
  if (found === undefined) return null;
  const text = textOf(found);
  return text === undefined ? failed : text;
}
