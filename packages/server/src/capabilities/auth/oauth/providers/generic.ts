import type { Fields } from "../../request.ts";
import { profileOf } from "../profile.ts";
import { flagAt, textAt } from "../read.ts";
import type { OidcRules, Profile } from "../types.ts";
import { baseOf } from "./hosts.ts";

const standardNames = ["given_name", "family_name", "nickname", "locale", "zoneinfo", "website", "profile"];

/** Standard claims (OpenID Connect Core §5.1). */
export function standardProfile(claims: Fields, issuer: string): Profile {
  return profileOf({
    issuer,
    subject: textAt(claims, "sub"),
    email: textAt(claims, "email"),
    isEmailVerified: flagAt(claims, "email_verified"),
    name: textAt(claims, "name"),
    picture: textAt(claims, "picture"),
    username: textAt(claims, "preferred_username"),
    claims: Object.fromEntries(standardNames.map((name) => [name, textAt(claims, name)])),
  });
}

/** An issuer that does as the standard says. */
export const standardOidc = (issuer: string | null): OidcRules => ({
  issuer: (url) => baseOf(url, issuer ?? ""),
  isIssuer: ({ iss }, discovered) => iss === discovered,
  asksUserInfo: true,
  profile: standardProfile,
});
