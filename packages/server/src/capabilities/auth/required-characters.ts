/**
 * Sets of characters a password needs one of each of, as GoTrue writes them (supabase/auth, PASSWORD_REQUIRED_CHARACTERS): divided
 * by colons, `\:` for a colon of their own.
 */
export function requiredCharacters(setting: string): readonly string[] {
  return setting
    .split(/(?<!\\):/)
    .map((set) => set.replaceAll("\\:", ":"))
    .filter((set) => set !== "");
}

/** Whether `password` has a character of every set. */
export const hasOneOfEach = (password: string, sets: readonly string[]): boolean =>
  sets.every((set) => [...set].some((character) => password.includes(character)));
