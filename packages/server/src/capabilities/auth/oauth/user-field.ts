import { textAt } from "./read.ts";
import type { Profile, Provider } from "./types.ts";

/**
 * Apple says somebody's name once, in a field beside the token that the browser carries; so whoever has the browser can write there.
 * A name is all that is taken from it: an address in there is not Apple's word (threat A05).
 */
export function nameIn(profile: Profile, provider: Pick<Provider, "name">, user: string): Profile {
  if (provider.name !== "apple" || user === "") return profile;
  let value: unknown;
  try {
    value = JSON.parse(user);
  } catch {
    return profile;
  }
  const name = `${textAt(value, "name", "firstName")} ${textAt(value, "name", "lastName")}`.trim();
  return name === "" ? profile : { ...profile, data: { ...profile.data, name, full_name: name } };
}
