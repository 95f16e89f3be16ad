import { json, type Route } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import { readKey } from "../names.ts";
import type { StorageCore } from "../part.ts";
import { problems } from "../problems.ts";
import { defaultCacheControl, defaultContentType, takeIn, uploadRouteOptions } from "../uploads/index.ts";
import { tokenIn } from "./download-routes.ts";
import type { UploadTokens } from "./upload-tokens.ts";

/** Signed URLs for writing (protocols: signed URLs). */
export function signedUploadRoutes(core: StorageCore, tokens: UploadTokens): readonly Route[] {
  const { objects, buckets, identity } = core;
  const path = "/object/upload/sign/:bucket/*";

  return [
    {
      method: "POST",
      path,
      access: "open",
      summary: "A URL by which anybody can upload one file for a while, in the caller's name.",
      async handle(call) {
        const who = callerOf(call, identity);
        const bucketId = call.params.bucket!;
        const name = readKey(call.params["*"]!);
        const isUpsert = call.headers["x-upsert"] === "true";
        if ((await buckets.find(bucketId)) === null) throw problems.noSuchBucket();
        await objects.mayWrite({
          who,
          ownerId: who.subject,
          bucketId,
          name,
          isUpsert,
          operation: "storage.object.sign_upload_url",
          contentType: defaultContentType,
          cacheControl: defaultCacheControl,
          userMetadata: null,
          sizeBytes: null,
        });
        const token = tokens.sign(who, { bucketId, name, isUpsert });
        return json({ url: `/object/upload/sign/${bucketId}/${name}?token=${token}`, token });
      },
    },
    {
      method: "PUT",
      path,
      access: "open",
      summary: "Takes in a file for whoever has a signed URL for it. What it replaces, the token decides.",
      ...uploadRouteOptions(core),
      async handle(call) {
        const bucketId = call.params.bucket!;
        const name = call.params["*"]!;
        const signed = tokens.verify(tokenIn(call.query), { bucketId, name });
        const { id } = await takeIn(core, call, {
          ...signed,
          bucketId,
          name,
          operation: "storage.object.upload_signed",
        });
        return json({ Id: id, Key: `${bucketId}/${name}` });
      },
    },
  ];
}
