/** From the bytes of a request to the words of the dialect: the first half of the data API. */
export { parseAccept } from "./accept.ts";
export { lex, type QueryTarget } from "./lex.ts";
export { readList } from "./list.ts";
export { parse } from "./parse.ts";
export { parsePreferences } from "./preferences.ts";
export { profileOf } from "./profile.ts";
export { parseRange } from "./range.ts";
export { defaultQueryLimits, type QueryLimits, queryLimitSettings } from "./settings.ts";
