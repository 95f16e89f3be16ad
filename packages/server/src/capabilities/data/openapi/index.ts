/** The document at the root: what one schema offers a caller, as OpenAPI 2.0. */
export { createDescribe, type Describe, type DescribeOptions } from "./describe.ts";
export { type DocumentOptions, openApi } from "./document.ts";
export { readVisible, type Visible, visibleStatement } from "./privileges.ts";
