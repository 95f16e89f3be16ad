import { type Call, json, type Reply, type Route } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import { isBucketId } from "../names.ts";
import type { StorageCore } from "../part.ts";
import { problems } from "../problems.ts";
import type { StoredObject } from "../types.ts";
import { refuseVersionIn, refuseVersions } from "../versions.ts";
import { optionalFlag, readJsonBody, requiredText } from "./json-body.ts";
import { pageAnswer, readLevel, readPage } from "./list.ts";
import { listStore } from "./list-store.ts";
import type { Listed } from "./list-types.ts";
import { orRefuse } from "./refusals.ts";

/** What is known of objects, one by one and in lists (protocols: read, listing). */
export function readRoutes({ session, identity, settings, objects, buckets }: StorageCore): readonly Route[] {
  const { storageListLimit } = settings;

  /** A public bucket's objects are everybody's to know of; any other's only those that the caller sees. */
  async function infoFor(call: Call, isAnonymousAllowed: boolean): Promise<Reply> {
    const [bucketId, name] = [call.params.bucket!, call.params["*"]!];
    const isAnonymous = call.headers.apikey === undefined && call.headers.authorization === undefined;
    const who = isAnonymousAllowed ? null : callerOf(call, identity);
    refuseVersionIn(call.query);
    const bucket = isBucketId(bucketId) ? await buckets.find(bucketId) : null;
    if (bucket === null || (isAnonymous && !bucket.isPublic)) throw problems.noSuchBucket();
    // A session that has ended is told so: "not there" would make apps forget files that are.
    const object = bucket.isPublic
      ? await objects.findAsServer(bucketId, name)
      : await objects.find(who ?? callerOf(call, identity), bucketId, name, "storage.object.info_authenticated");
    if (object === null) throw problems.noSuchKey();
    return json(infoOf(object));
  }

  return [
    {
      method: "GET",
      path: "/object/info/public/:bucket/*",
      access: "open",
      summary: "What is known of an object in a public bucket.",
      async handle(call) {
        const [bucketId, name] = [call.params.bucket!, call.params["*"]!];
        refuseVersionIn(call.query);
        const bucket = isBucketId(bucketId) ? await buckets.find(bucketId) : null;
        if (bucket === null || !bucket.isPublic) throw problems.noSuchBucket();
        const object = await objects.findAsServer(bucketId, name);
        if (object === null) throw problems.noSuchKey();
        return json(infoOf(object));
      },
    },
    {
      method: "GET",
      path: "/object/info/authenticated/:bucket/*",
      access: "open",
      summary: "What is known of an object that the caller may see.",
      handle: (call) => infoFor(call, false),
    },
    {
      method: "GET",
      path: "/object/info/:bucket/*",
      access: "open",
      summary: "What is known of an object that the caller, or everybody, may see.",
      handle: (call) => infoFor(call, true),
    },
    {
      method: "POST",
      path: "/object/list/:bucket",
      access: "open",
      summary: "One folder's files and folders.",
      async handle(call) {
        const who = callerOf(call, identity);
        const wanted = await readJsonBody(call);
        refuseVersions(wanted);
        const level = readLevel(call.params.bucket!, wanted, storageListLimit);
        const asking = { session, who, operation: "storage.object.list" } as const;
        const body = optionalFlag(wanted, "exactMatch")
          ? listed(await orRefuse(listStore.one(asking, level.bucketId, requiredText(wanted, "prefix"), call.signal)))
          : await orRefuse(listStore.level(asking, level, call.signal));
        return { status: 200, headers: ["Content-Type", "application/json; charset=utf-8"], body };
      },
    },
    {
      method: "POST",
      path: "/object/list-v2/:bucket",
      access: "open",
      summary: "Files that begin alike, page by page, with or without folders.",
      async handle(call) {
        const who = callerOf(call, identity);
        const wanted = await readJsonBody(call);
        refuseVersions(wanted);
        const page = readPage(call.params.bucket!, wanted, storageListLimit);
        const asking = { session, who, operation: "storage.object.list_v2" } as const;
        if (optionalFlag(wanted, "exactMatch")) {
          const one = await orRefuse(listStore.one(asking, page.bucketId, page.prefix, call.signal));
          return json(pageAnswer(page, one === null || page.after !== null ? [] : [one]));
        }
        // One more tells whether there is another page.
        const listed = await orRefuse(listStore.page(asking, { ...page, limit: page.limit + 1 }, call.signal));
        return json(pageAnswer(page, listed));
      },
    },
  ];
}

/** That one file as a list of one folder has it: by its own name. */
const listed = (one: Listed | null): string =>
  JSON.stringify(one === null ? [] : [{ ...one.object, name: one.name.slice(one.name.lastIndexOf("/") + 1) }]);

/** Protocols: read. */
function infoOf(object: StoredObject) {
  return {
    id: object.id,
    name: object.name,
    version: object.version,
    bucket_id: object.bucketId,
    size: object.sizeBytes,
    content_type: object.contentType,
    content_encoding: object.contentEncoding,
    cache_control: object.cacheControl,
    etag: object.etag,
    metadata: object.userMetadata ?? {},
    last_modified: new Date(object.lastModifiedMs).toISOString(),
    created_at: object.createdAt,
  };
}
