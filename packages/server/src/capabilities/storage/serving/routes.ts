import type { Call, Reply, Route } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import type { StorageCore } from "../part.ts";
import { problems } from "../problems.ts";
import type { Bucket, StoredObject } from "../types.ts";
import { refuseVersionIn } from "../versions.ts";
import type { Audience } from "./headers.ts";
import type { Serving } from "./serve.ts";

/** The name to save a file under: `null` when it is to be shown, `""` when no name is given (protocols: read). */
export function downloadOf(query: string): string | null {
  return query.includes("download") ? new URLSearchParams(query).get("download") : null;
}

type Find = () => Promise<StoredObject | null>;

/** Files out: to everybody from public buckets, else to whoever the policies let read (protocols: read). */
export function servingRoutes(core: StorageCore, serving: Serving): readonly Route[] {
  const { buckets, objects, identity } = core;

  const send = async (call: Call, find: Find, audience: Audience): Promise<Reply> => {
    refuseVersionIn(call.query);
    const object = await find();
    if (object === null) throw problems.noSuchKey();
    return serving.serve(call, object, { audience, download: downloadOf(call.query), again: find });
  };
  const bucketOf = async (call: Call): Promise<Bucket> => {
    const bucket = await buckets.find(call.params.bucket!);
    if (bucket === null) throw problems.noSuchBucket();
    return bucket;
  };
  const asEverybody = (call: Call, bucket: Bucket): Find => {
    const name = call.params["*"]!;
    return () => objects.findAsServer(bucket.id, name);
  };

  return [
    {
      method: ["GET", "HEAD"],
      path: "/object/public/:bucket/*",
      access: "open",
      summary: "A file of a public bucket.",
      async handle(call) {
        const bucket = await bucketOf(call);
        if (!bucket.isPublic) throw problems.noSuchBucket();
        return send(call, asEverybody(call, bucket), "everybody");
      },
    },
    {
      method: ["GET", "HEAD"],
      path: "/object/authenticated/:bucket/*",
      access: "open",
      summary: "A file, for whom the policies let read it.",
      async handle(call) {
        const who = callerOf(call, identity);
        const bucket = await bucketOf(call);
        if (bucket.isPublic) return send(call, asEverybody(call, bucket), "caller");
        const find = () => objects.find(who, bucket.id, call.params["*"]!, "storage.object.get_authenticated");
        return send(call, find, "caller");
      },
    },
    {
      method: ["GET", "HEAD"],
      path: "/object/:bucket/*",
      access: "open",
      summary: "A file: of a public bucket for everybody, else for whom the policies let read it.",
      async handle(call) {
        const bucket = await bucketOf(call);
        if (bucket.isPublic) return send(call, asEverybody(call, bucket), "everybody");
        const who = callerOrNoBucket(call);
        const find = () => objects.find(who, bucket.id, call.params["*"]!, "storage.object.get_authenticated");
        return send(call, find, "caller");
      },
    },
  ];

  /** For who cannot be told apart from anybody a private bucket is not there (threat S14). */
  function callerOrNoBucket(call: Call) {
    try {
      return callerOf(call, identity);
    } catch {
      throw problems.noSuchBucket();
    }
  }
}
