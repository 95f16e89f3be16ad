/** std/dotenv: the environment of a function is given to it, so there is no file to read. */
export const load = async (): Promise<Record<string, string>> => ({});
export const loadSync = (): Record<string, string> => ({});
export const config = load;

export function parse(text: string): Record<string, string> {
  const { parseEnv } = process.getBuiltinModule("node:util");
  return { ...parseEnv(text) } as Record<string, string>;
}
