import { problems } from "../problems.ts";

/** What a form may say, as whoever signed it has laid down (Amazon S3 API reference, POST policy). */
export interface PostPolicy {
  readonly expiresAtMs: number;
  /** Smallest and largest file, in bytes. */
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly conditions: readonly Condition[];
}

interface Condition {
  readonly isPrefix: boolean;
  /** In lower case. */
  readonly field: string;
  readonly value: string;
}

/** Fields that no condition has to speak of. */
const free = /^(?:policy|x-amz-signature|file|x-ignore-.*)$/;

/** @param text base64 of JSON, as it was signed. @throws Problem `InvalidPolicyDocument` */
export function readPolicy(text: string): PostPolicy {
  let document: unknown;
  try {
    document = JSON.parse(Buffer.from(text, "base64").toString("utf8"));
  } catch {
    throw problems.invalidPolicyDocument("Invalid Policy: Invalid JSON.");
  }
  const { expiration, conditions } = (document ?? {}) as { expiration?: unknown; conditions?: unknown };
  const expiresAtMs = typeof expiration === "string" ? Date.parse(expiration) : Number.NaN;
  if (Number.isNaN(expiresAtMs)) throw problems.invalidPolicyDocument("Invalid Policy: Invalid 'expiration' value.");
  if (!Array.isArray(conditions)) throw problems.invalidPolicyDocument("Invalid Policy: Invalid 'conditions' value.");
  let [minBytes, maxBytes] = [0, Number.MAX_SAFE_INTEGER];
  const read: Condition[] = [];
  for (const condition of conditions as readonly unknown[]) {
    if (!Array.isArray(condition)) {
      read.push(...exact(condition));
      continue;
    }
    const [operator, first, second] = condition as readonly unknown[];
    if (operator === "content-length-range" && isSize(first) && isSize(second)) {
      minBytes = Math.max(minBytes, Number(first));
      maxBytes = Math.min(maxBytes, Number(second));
    } else read.push(matching(operator, first, second));
  }
  return { expiresAtMs, minBytes, maxBytes, conditions: read };
}

const isSize = (value: unknown): boolean => /^\d{1,15}$/.test(String(value));

function exact(condition: unknown): readonly Condition[] {
  const pairs = typeof condition === "object" && condition !== null ? Object.entries(condition) : [];
  if (pairs.length !== 1) throw problems.invalidPolicyDocument("Invalid Policy: a condition must have one property.");
  return pairs.map(([name, value]) => ({ isPrefix: false, field: name.toLowerCase(), value: String(value) }));
}

function matching(operator: unknown, name: unknown, value: unknown): Condition {
  const isKnown = operator === "eq" || operator === "starts-with";
  if (!isKnown || typeof name !== "string" || !name.startsWith("$") || typeof value !== "string") {
    throw problems.invalidPolicyDocument("Invalid Policy: Invalid condition.");
  }
  return { isPrefix: operator === "starts-with", field: name.slice(1).toLowerCase(), value };
}

/** Holds a form against its policy: all conditions hold, and nothing is said that they do not speak of. @throws Problem `AccessDenied` */
export function checkPolicy(policy: PostPolicy, fields: ReadonlyMap<string, string>, nowMs: number): void {
  if (policy.expiresAtMs <= nowMs) throw problems.accessDenied("Invalid according to Policy: Policy expired.");
  for (const { field, value, isPrefix } of policy.conditions) {
    const given = fields.get(field) ?? "";
    if (isPrefix ? given.startsWith(value) : given === value) continue;
    throw problems.accessDenied(`Invalid according to Policy: Policy Condition failed: "$${field}"`);
  }
  const spokenOf = new Set(policy.conditions.map(({ field }) => field));
  for (const name of fields.keys()) {
    if (spokenOf.has(name) || free.test(name)) continue;
    throw problems.accessDenied(`Invalid according to Policy: Extra input fields: ${name.slice(0, 100)}`);
  }
}
