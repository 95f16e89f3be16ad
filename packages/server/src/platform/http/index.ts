export { canonicalAddress } from "./address.ts";
export { gatewayCors, problemHeaders, problemJson } from "./boundary.ts";
export type { PartState, Readiness } from "./health.ts";
export {
  createInternal,
  depthOf,
  type Internal,
  type InternalReply,
  type InternalRequest,
} from "./internal.ts";
export { type MediaType, parseMediaType } from "./media-type.ts";
export { type HttpServer, type HttpServerNeeds, openHttpServer } from "./server.ts";
export { httpSettings } from "./settings.ts";
export type { UpgradeHandler } from "./upgrades.ts";
