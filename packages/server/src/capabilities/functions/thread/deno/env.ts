/** `Deno.env`, over the environment that the function was given. What it changes is its own. */
export const env = {
  get: (name: string): string | undefined => process.env[name],
  has: (name: string): boolean => process.env[name] !== undefined,
  set(name: string, value: string): void {
    process.env[name] = value;
  },
  delete(name: string): void {
    delete process.env[name];
  },
  toObject: (): Record<string, string> => ({ ...process.env }) as Record<string, string>,
};
