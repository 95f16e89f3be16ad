import type { StorageContext } from "../context.ts";
import type { StorageCore, StoragePart } from "../part.ts";
import { createServing } from "../serving/index.ts";
import { signedDownloadRoutes } from "./download-routes.ts";
import { signedUploadRoutes } from "./upload-routes.ts";
import { createUploadTokens, type UploadTokens } from "./upload-tokens.ts";
import { createUrlTokens, type UrlTokens } from "./url-tokens.ts";

export { tokenIn } from "./download-routes.ts";
export type { SignedUpload, UploadTokens } from "./upload-tokens.ts";
export type { Scope, UrlClaims, UrlTokens, VerifiedUrl } from "./url-tokens.ts";

/** Tokens of signed URLs, for every room that takes them. Any number of these are the same: nothing is remembered. */
export function urlTokensOf({
  signer,
  clock,
  settings,
}: Pick<StorageContext, "signer" | "clock" | "settings">): UrlTokens {
  return createUrlTokens({ signer, clock, maxSeconds: settings.storageSignedUrlMaxSeconds });
}

/** Tokens of signed uploads, plain and resumable. */
export function uploadTokensOf(needs: Pick<StorageContext, "signer" | "clock" | "settings">): UploadTokens {
  return createUploadTokens({
    tokens: urlTokensOf(needs),
    signer: needs.signer,
    lifeSeconds: needs.settings.storageSignedUploadSeconds,
  });
}

/** Files for whoever has a link. */
export function signedPart(core: StorageCore): StoragePart {
  return {
    routes: [
      ...signedDownloadRoutes(core, urlTokensOf(core), createServing(core)),
      ...signedUploadRoutes(core, uploadTokensOf(core)),
    ],
  };
}
