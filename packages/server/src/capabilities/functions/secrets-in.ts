/** What the platform gives every function. */
const ours = /^(?:SUPABASE_|DENO_|SB_|NODE_ENV$)/;

/**
 * Names of secrets that a module asks for, as far as its text says them: of `Deno.env`, of Node's environment, of `ctx.secrets`, and `secret: "X"` of a
 * webhook. What is put together while it runs is not found.
 */
export function secretsIn(source: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const pattern of patterns) {
    for (const [, name] of source.matchAll(pattern)) if (name !== undefined && !ours.test(name)) found.add(name);
  }
  return found;
}

const patterns = [
  /\bDeno\.env\.get\(\s*["'`]([A-Za-z_]\w*)["'`]/g,
  /\bprocess\.env\.([A-Za-z_]\w*)/g,
  /\bprocess\.env\[\s*["'`]([A-Za-z_]\w*)["'`]\s*\]/g,
  /\bsecrets\.([A-Z_][A-Z0-9_]*)\b/g,
  /\bsecrets\[\s*["'`]([A-Za-z_]\w*)["'`]\s*\]/g,
  /\bsecret:\s*["'`]([A-Z_][A-Z0-9_]*)["'`]/g,
];
