export { type OpenPolicies, openPolicies, type PoliciesNeeds, type PoliciesStats } from "./open.ts";
export { policiesSettings } from "./settings.ts";
export type * from "./types.ts";
