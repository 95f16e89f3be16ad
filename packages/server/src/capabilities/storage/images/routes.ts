import { type Call, json, type Route } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import type { StorageCore } from "../part.ts";
import { problems } from "../problems.ts";
import { downloadOf } from "../serving/index.ts";
import { tokenIn, type UrlTokens } from "../signed/index.ts";
import type { Bucket } from "../types.ts";
import { readTransformation } from "./parameters.ts";
import type { RenditionKeeper } from "./rendition-keeper.ts";
import type { Pictures } from "./serve.ts";
import type { Transformation } from "./types.ts";

/** Images in other sizes and formats (protocols: image transforms). Rights are asked with every request, as for the files they are made of. */
export function imageRoutes(
  core: StorageCore,
  needs: { readonly pictures: Pictures; readonly keeper: RenditionKeeper; readonly tokens: UrlTokens },
): readonly Route[] {
  const { buckets, objects, identity, settings } = core;
  const { pictures, keeper, tokens } = needs;

  const bucketOf = async (call: Call): Promise<Bucket> => {
    const bucket = await buckets.find(call.params.bucket!);
    if (bucket === null) throw problems.noSuchBucket();
    return bucket;
  };
  const askedFor = ({ query }: Call): Transformation =>
    readTransformation(Object.fromEntries(new URLSearchParams(query)), settings.storageImageMaxSidePixels);
  const serviceOnly = (call: Call): void => {
    if (callerOf(call, identity).role !== "service_role")
      throw problems.accessDenied("Only the service role may do this.");
  };

  return [
    {
      method: ["GET", "HEAD"],
      path: "/render/image/public/:bucket/*",
      access: "open",
      summary: "An image of a public bucket, in the size and format that is asked for.",
      async handle(call) {
        const transformation = askedFor(call);
        const bucket = await bucketOf(call);
        if (!bucket.isPublic) throw problems.noSuchBucket();
        return pictures.serve(call, transformation, {
          audience: "everybody",
          download: downloadOf(call.query),
          find: () => objects.findAsServer(bucket.id, call.params["*"]!),
        });
      },
    },
    {
      method: ["GET", "HEAD"],
      path: "/render/image/authenticated/:bucket/*",
      access: "open",
      summary: "An image in the size and format that is asked for, for whom the policies let read it.",
      async handle(call) {
        const who = callerOf(call, identity);
        const transformation = askedFor(call);
        const bucket = await bucketOf(call);
        const name = call.params["*"]!;
        return pictures.serve(call, transformation, {
          audience: "caller",
          download: downloadOf(call.query),
          find: () =>
            bucket.isPublic
              ? objects.findAsServer(bucket.id, name)
              : objects.find(who, bucket.id, name, "storage.render.image_authenticated"),
        });
      },
    },
    {
      method: ["GET", "HEAD"],
      path: "/render/image/sign/:bucket/*",
      access: "open",
      summary: "An image for whoever has a signed URL of it, as the URL was signed for.",
      async handle(call) {
        const bucketId = call.params.bucket!;
        const name = call.params["*"]!;
        const signed = tokens.verify(tokenIn(call.query), { url: `${bucketId}/${name}`, scope: "render" });
        // From the token alone: what the query says besides counts for nothing (threat S02).
        const transformation = readTransformation(signed.transformations ?? {}, settings.storageImageMaxSidePixels);
        return pictures.serve(call, transformation, {
          audience: "caller",
          download: downloadOf(call.query),
          expiresAtMs: signed.expiresAtMs,
          find: () => objects.findAsServer(bucketId, name),
        });
      },
    },
    {
      method: "DELETE",
      path: "/cdn/:bucket/*",
      access: "open",
      summary: "Forgets what this server has made of an image.",
      async handle(call) {
        serviceOnly(call);
        const bucket = await bucketOf(call);
        const object = await objects.findAsServer(bucket.id, call.params["*"]!);
        if (object === null) throw problems.noSuchKey();
        if (object.version !== null) await keeper.forget([object.version]);
        return json({ message: "success" });
      },
    },
    {
      method: "DELETE",
      path: "/cdn/:bucket",
      access: "open",
      summary: "Forgets what this server has made of the images of a bucket.",
      async handle(call) {
        serviceOnly(call);
        await keeper.forgetBucket((await bucketOf(call)).id);
        return json({ message: "success" });
      },
    },
  ];
}
