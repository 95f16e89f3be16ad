import { json, type Route } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import { isBucketId, isKey, readKey } from "../names.ts";
import type { StorageCore } from "../part.ts";
import { problems } from "../problems.ts";
import { readEncodedMetadata } from "../uploads/facts.ts";
import { refuseVersions } from "../versions.ts";
import { copyObject } from "./copy.ts";
import {
  type JsonBody,
  optionalFlag,
  optionalObject,
  optionalText,
  readJsonBody,
  requiredText,
  textList,
} from "./json-body.ts";
import { moveObject } from "./move.ts";
import { orRefuse } from "./refusals.ts";
import { objectStore } from "./store.ts";

/** What changes objects that are there (protocols: modify). */
export function changeRoutes(core: StorageCore): readonly Route[] {
  const { session, identity, settings, objects } = core;

  return [
    {
      method: "POST",
      path: "/object/move",
      access: "open",
      summary: "Gives an object another name, or another bucket.",
      async handle(call) {
        const who = callerOf(call, identity);
        const body = await readJsonBody(call);
        refuseVersions(body);
        const places = readPlaces(body);
        const id = await moveObject(core, who, places.from, places.to);
        return json({ message: "Successfully moved", Id: id, Key: places.to.name });
      },
    },
    {
      method: "POST",
      path: "/object/copy",
      access: "open",
      summary: "Makes another object with the same bytes.",
      async handle(call) {
        const who = callerOf(call, identity);
        const body = await readJsonBody(call);
        refuseVersions(body);
        const metadata = optionalObject(body, "metadata") ?? {};
        const row = await copyObject(core, {
          who,
          ...readPlaces(body),
          isUpsert: call.headers["x-upsert"] === "true",
          copiesMetadata: optionalFlag(body, "copyMetadata") ?? true,
          cacheControl: optionalText(metadata, "cacheControl"),
          contentType: optionalText(metadata, "mimetype"),
          contentEncoding: optionalText(metadata, "contentEncoding"),
          userMetadata: readEncodedMetadata(headerOf(call.headers["x-metadata"])),
        });
        return json({ Id: row.id, Key: `${row.bucket_id}/${row.name}`, ...row });
      },
    },
    {
      method: "DELETE",
      path: "/object/:bucket/*",
      access: "open",
      summary: "Deletes an object.",
      async handle(call) {
        const who = callerOf(call, identity);
        const [bucketId, name] = [call.params.bucket!, call.params["*"]!];
        if (!isBucketId(bucketId) || !isKey(name)) throw problems.noSuchKey();
        const operation = "storage.object.delete";
        const gone = await orRefuse(objectStore.remove({ session, who, operation }, bucketId, [name]));
        if (gone.length === 0) {
          // Who sees it hears that it is not theirs to delete; anybody else, that it is not there (threat S14).
          const isSeen = (await objects.find(who, bucketId, name, operation)) !== null;
          throw isSeen ? problems.accessDenied("Access denied") : problems.noSuchKey();
        }
        return json({ message: "Successfully deleted" });
      },
    },
    {
      method: "DELETE",
      path: "/object/:bucket",
      access: "open",
      summary: "Deletes many objects by their names.",
      async handle(call) {
        const who = callerOf(call, identity);
        const body = await readJsonBody(call);
        if (body.prefixes === undefined) throw problems.invalidRequest("body must have required property 'prefixes'");
        const names = textList(body.prefixes, "prefixes");
        if (names.length === 0) throw problems.invalidRequest("body/prefixes must NOT have fewer than 1 items");
        if (names.length > settings.storageRemoveLimit) {
          throw problems.invalidRequest(
            `Bulk object requests are limited to ${settings.storageRemoveLimit} objects per request.`,
          );
        }
        const asking = { session, who, operation: "storage.object.delete_many" } as const;
        const gone = await orRefuse(objectStore.remove(asking, call.params.bucket!, names));
        return {
          status: 200,
          headers: ["Content-Type", "application/json; charset=utf-8"],
          body: `[${gone.join(",")}]`,
        };
      },
    },
  ];
}

/** @throws Problem `NoSuchKey` for a source that nothing can be called, `InvalidKey` for such a destination */
function readPlaces(body: JsonBody) {
  const bucketId = requiredText(body, "bucketId");
  const sourceKey = requiredText(body, "sourceKey");
  const name = readKey(requiredText(body, "destinationKey"));
  if (!isKey(sourceKey)) throw problems.noSuchKey();
  return {
    from: { bucketId, name: sourceKey },
    to: { bucketId: optionalText(body, "destinationBucket") || bucketId, name },
  };
}

const headerOf = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === "string" ? value : value?.[0];
