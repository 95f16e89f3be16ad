export { jsonOf } from "./json.ts";
export { type ChangeLogNeeds, openChangeLog } from "./log.ts";
export { formatLsn, parseLsn } from "./lsn.ts";
export { changesSettings } from "./settings.ts";
export { publicationNames } from "./store.ts";
export type * from "./types.ts";
export { fillUnchanged } from "./unchanged.ts";
