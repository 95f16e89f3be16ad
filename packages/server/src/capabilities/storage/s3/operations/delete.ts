import { empty } from "../../../../kernel/route.ts";
import { bucketOf, type S3Needs } from "../needs.ts";
import { readWhole } from "../payload/payload.ts";
import { problems } from "../problems.ts";
import { type Handler, headerOf, xml } from "../request.ts";
import { elementsOf, readDocument, textOf } from "../xml/read.ts";
import type { Element } from "../xml/write.ts";

/** Most keys of one DeleteObjects, as S3 has it. */
const maxKeys = 1_000;

/** Deleting: what is not there is deleted already. What the caller can see and may not delete is refused. */
export function deleteOperations(needs: S3Needs) {
  const { store, settings } = needs;

  const one: Handler = async (request) => {
    const { who, bucket, key, parameters } = request;
    if (headerOf(request, "if-match") !== null) throw problems.notImplemented("If-Match");
    const version = parameters.get("versionId") ?? "null";
    if (version !== "null") throw problems.notImplemented("versions");
    await bucketOf(needs, bucket);
    const [found] = await store.remove(who, "storage.s3.object.delete", bucket, [key]);
    if (found?.isGone === false) throw problems.accessDenied();
    return empty(204);
  };

  const many: Handler = async (request) => {
    const { who, bucket } = request;
    const root = await readDocument(await readWhole(request.payload(), settings.storageS3XmlLimitBytes), "Delete");
    const objects = elementsOf(root, "Object");
    if (objects.length === 0 || objects.length > maxKeys) throw problems.malformedXml();
    const keys = objects.map((object) => {
      const key = textOf(object, "Key");
      if (key === null || key === "" || key.includes("\0")) throw problems.malformedXml();
      if ((textOf(object, "VersionId") || "null") !== "null") throw problems.notImplemented("versions");
      return key;
    });
    await bucketOf(needs, bucket);
    const found = await store.remove(who, "storage.s3.object.delete_many", bucket, [...new Set(keys)]);
    const kept = new Set(found.filter(({ isGone }) => !isGone).map(({ name }) => name));
    const isQuiet = textOf(root, "Quiet") === "true";
    const denied = problems.accessDenied();
    const answers = keys.map((key): Element | null => {
      if (kept.has(key))
        return [
          "Error",
          [
            ["Key", key],
            ["Code", denied.code],
            ["Message", denied.message],
          ],
        ];
      return isQuiet ? null : ["Deleted", [["Key", key]]];
    });
    return xml(["DeleteResult", answers]);
  };

  return { one, many };
}
