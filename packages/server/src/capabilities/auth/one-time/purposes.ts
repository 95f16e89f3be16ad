/** What a code or link is good for. It is part of the record, so that one is never taken for another (threat A11). */
export type Purpose =
  | "signup"
  | "invite"
  | "magiclink"
  | "recovery"
  | "email_change_current"
  | "email_change_new"
  | "sms"
  | "phone_change"
  | "reauthentication";

const emailPurposes: ReadonlyMap<string, readonly Purpose[]> = new Map<string, readonly Purpose[]>([
  ["signup", ["signup", "magiclink"]],
  ["magiclink", ["signup", "magiclink"]],
  ["email", ["signup", "magiclink"]],
  ["invite", ["invite"]],
  ["recovery", ["recovery"]],
  ["email_change", ["email_change_current", "email_change_new"]],
  // What `generate_link` names as its `verification_type`.
  ["email_change_current", ["email_change_current"]],
  ["email_change_new", ["email_change_new"]],
]);

const phonePurposes: ReadonlyMap<string, readonly Purpose[]> = new Map<string, readonly Purpose[]>([
  ["sms", ["sms"]],
  ["phone_change", ["phone_change"]],
]);

/** What a code of the client's `type` may have been sent for; `null` for no type of this channel (auth.md §7.2). */
export const purposesOf = (type: string, channel: "email" | "phone"): readonly Purpose[] | null =>
  (channel === "email" ? emailPurposes : phonePurposes).get(type) ?? null;

/** `type` of a link, and of its redirect. */
export function linkTypeOf(purpose: Purpose): string {
  return purpose === "email_change_current" || purpose === "email_change_new" ? "email_change" : purpose;
}
