/** How much a finding matters: `error` leaks or breaks, `warning` hurts sooner or later, `info` is worth a look. */
export type Level = "error" | "warning" | "info";

/** What is looked for, and what to do about it. A finding is switched off by `-- mainstay: allow <rule>` above its statement. */
export const rules = {
  "rls-disabled": {
    level: "error",
    advice:
      "alter table … enable row level security; and write policies. Until then everybody with the anon key reads and writes every row.",
  },
  "rls-without-policy": {
    level: "info",
    advice: "No role but the owner and service_role sees a row. Write a policy, unless that is the intention.",
  },
  "policy-call-not-wrapped": {
    level: "warning",
    advice: "Write (select auth.uid()): it is then evaluated once per statement instead of once per row.",
  },
  "policy-column-not-indexed": {
    level: "warning",
    advice: "create index on the column: the policy is part of every query of the table.",
  },
  "definer-search-path": {
    level: "error",
    advice:
      "Add set search_path = '' and name schemas: otherwise the caller decides which objects the function's owner works on.",
  },
  "view-bypasses-rls": {
    level: "error",
    advice:
      "Create it with (security_invoker = true): otherwise it reads the tables as its owner, past their policies.",
  },
  "index-blocks-writes": {
    level: "warning",
    advice:
      "Use create index concurrently, in a file of its own; a unique constraint can then be added using the index.",
  },
  "column-rewrites-table": {
    level: "warning",
    advice: "Add the column without the default, fill it in portions, then set the default.",
  },
  "not-null-scans-table": {
    level: "warning",
    advice:
      "Add check (… is not null) not valid, validate it in a later file, then set not null: no scan under the lock.",
  },
  "type-change-rewrites-table": {
    level: "warning",
    advice: "Add a new column, fill it, and change over; or accept that the table is locked while it is rewritten.",
  },
  "constraint-scans-table": {
    level: "warning",
    advice: "Add the constraint not valid and validate it in a later file: it then checks old rows without the lock.",
  },
  "breaks-released-apps": {
    level: "warning",
    advice:
      "Apps in the field still use the old name. Add the new one beside it, and remove the old one when they are gone.",
  },
} as const satisfies Readonly<Record<string, { level: Level; advice: string }>>;

export type Rule = keyof typeof rules;

export interface Finding {
  readonly rule: Rule;
  readonly level: Level;
  /** `null` when the database itself was checked. */
  readonly file: string | null;
  readonly line: number | null;
  /** `public.places`, `public.places."own rows"`, `public.nearby`. */
  readonly object: string;
  readonly message: string;
  /** What to do. */
  readonly advice: string;
}

/** Where an object comes from. */
export interface Place {
  readonly file: string | null;
  readonly line: number | null;
  /** Rules switched off for the statement. */
  readonly allowed: ReadonlySet<string>;
}

export const nowhere: Place = { file: null, line: null, allowed: new Set() };

/** `null` when the statement at this place allows it. */
export function finding(rule: Rule, place: Place, object: string, message: string): Finding | null {
  if (place.allowed.has(rule)) return null;
  return { rule, ...rules[rule], file: place.file, line: place.line, object, message };
}
