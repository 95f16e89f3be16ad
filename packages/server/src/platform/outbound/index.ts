export { createGuard, type Guard, type IsAllowedAddress } from "./allowed.ts";
export { Breaker } from "./breaker.ts";
export { checkedLookup } from "./checked-lookup.ts";
export { OutboundError, type OutboundFailure } from "./error.ts";
export { isPublicAddress } from "./public-address.ts";
export { type OutboundReply, type OutboundRequest, outboundRequest } from "./request.ts";
export { isSignedWebhook, type WebhookHeaders, webhookHeaders, webhookKeys } from "./webhook-signature.ts";
