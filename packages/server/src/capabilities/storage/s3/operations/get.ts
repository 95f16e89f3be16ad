import { empty, type Reply } from "../../../../kernel/route.ts";
import { problems as storageProblems } from "../../problems.ts";
import type { Operation, StoredObject } from "../../types.ts";
import { metadataHeaders } from "../metadata.ts";
import { bucketOf, type S3Needs } from "../needs.ts";
import { headerOf as checksumHeader, elementOf } from "../payload/checksums.ts";
import { readWhole } from "../payload/payload.ts";
import { problems } from "../problems.ts";
import { type Handler, headerOf, type S3Request, xml } from "../request.ts";
import { elementsOf, readDocument } from "../xml/read.ts";
import type { Element } from "../xml/write.ts";

/** Parameters that put another header in the answer (GetObject). Those of type and caching are settled before. */
const overrides: Readonly<Record<string, string>> = {
  "response-cache-control": "Cache-Control",
  "response-content-encoding": "Content-Encoding",
  "response-content-language": "Content-Language",
  "response-expires": "Expires",
};

/** @throws Problem `NoSuchBucket`, `NoSuchKey` */
export async function findObject(
  needs: Pick<S3Needs, "objects" | "buckets">,
  { who, bucket, key }: Pick<S3Request, "who" | "bucket" | "key">,
  operation: Operation,
): Promise<StoredObject> {
  const object = await needs.objects.find(who, bucket, key, operation);
  if (object !== null) return object;
  await bucketOf(needs, bucket);
  throw storageProblems.noSuchKey();
}

/** Replaces a header of a flat list, or adds it. */
function withHeader(headers: readonly string[], name: string, value: string): readonly string[] {
  const at = headers.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === name.toLowerCase());
  return at === -1 ? [...headers, name, value] : headers.with(at + 1, value);
}

const headerText = (name: string, text: string): string => {
  // A signature does not make a line of a header out of two (threat S05).
  if (/^[\t\x20-\x7e\u0080-\u00ff]*$/.test(text)) return text;
  throw problems.invalidArgument(`${name} is no text of a header.`);
};

/** GetObject, HeadObject and what else is told of one object. */
export function getOperations(needs: S3Needs) {
  const { serving, checksums, content, settings } = needs;

  const get: Handler = async (request) => {
    const { call, parameters } = request;
    const version = parameters.get("versionId") ?? "null";
    if (version !== "null") throw problems.notImplemented("versions");
    const operation = call.method === "HEAD" ? "storage.s3.object.info" : "storage.s3.object.get";
    const find = () => findObject(needs, request, operation);
    const object = await find();
    const given = parameters.get("response-content-type");
    const contentType = given === undefined ? object.contentType : headerText("response-content-type", given);
    const headers = await rangeHeaders(request, object);
    const reply = await serving.serve(
      { method: call.method, headers, signal: call.signal },
      { ...object, contentType },
      { audience: "caller", download: null, again: find },
    );
    if (reply.status === 412) throw problems.preconditionFailed("If-Match");
    if (reply.status === 416) throw problems.invalidRange();
    if (reply.status === 304) return reply;
    return dressed(request, object, contentType, reply);
  };

  /** `partNumber` is a range by another name. */
  const rangeHeaders = async ({ call, parameters }: S3Request, { version }: StoredObject) => {
    const part = parameters.get("partNumber");
    if (part === undefined) return call.headers;
    if (call.method === "HEAD" || call.headers.range !== undefined) throw problems.notImplemented("partNumber");
    const segments = version === null ? [] : await content.segments(version);
    const at = Number(part) - 1;
    const segment = segments[at];
    if (segment === undefined) throw problems.invalidRange();
    const from = segments.slice(0, at).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return { ...call.headers, range: `bytes=${from}-${from + segment.sizeBytes - 1}` };
  };

  const dressed = async (
    request: S3Request,
    object: StoredObject,
    contentType: string,
    reply: Reply,
  ): Promise<Reply> => {
    let { headers } = reply;
    // Where a browser can go to, it is not told that this is a page. A signed header is sent by a program, which wants to know.
    const isMultiple = reply.status === 206 && !headers.includes("Content-Range");
    if (!request.isPresigned && !isMultiple) headers = withHeader(headers, "Content-Type", contentType);
    for (const [parameter, name] of Object.entries(overrides)) {
      const text = request.parameters.get(parameter);
      if (text !== undefined) headers = withHeader(headers, name, headerText(parameter, text));
    }
    const disposition = request.parameters.get("response-content-disposition");
    if (disposition !== undefined) {
      const isForced = request.isPresigned && headers.includes("Content-Disposition");
      const isShown = !/^\s*attachment/i.test(disposition);
      if (!(isForced && isShown)) {
        headers = withHeader(headers, "Content-Disposition", headerText("response-content-disposition", disposition));
      }
    }
    headers = [...headers, ...metadataHeaders(object.userMetadata, settings.storageS3MetadataLimitBytes)];
    if (headerOf(request, "x-amz-checksum-mode")?.toUpperCase() === "ENABLED" && reply.status === 200) {
      const checksum = object.version === null ? null : await checksums.find(object.version);
      if (checksum !== null) {
        const type = checksum.value.includes("-") ? "COMPOSITE" : "FULL_OBJECT";
        headers = [...headers, checksumHeader(checksum.name), checksum.value, "x-amz-checksum-type", type];
      }
    }
    return { ...reply, headers };
  };

  const attributes: Handler = async (request) => {
    const object = await findObject(needs, request, "storage.s3.object.info");
    const wanted = new Set((headerOf(request, "x-amz-object-attributes") ?? "").split(",").map((name) => name.trim()));
    const checksum = object.version === null ? null : await checksums.find(object.version);
    const parts = /-(\d+)"$/.exec(object.etag)?.[1];
    const lines: readonly (Element | null)[] = [
      wanted.has("ETag") ? ["ETag", object.etag.replaceAll('"', "")] : null,
      wanted.has("Checksum") && checksum !== null ? ["Checksum", [[elementOf(checksum.name), checksum.value]]] : null,
      wanted.has("ObjectParts") && parts !== undefined ? ["ObjectParts", [["PartsCount", parts]]] : null,
      wanted.has("StorageClass") ? ["StorageClass", "STANDARD"] : null,
      wanted.has("ObjectSize") ? ["ObjectSize", object.sizeBytes] : null,
    ];
    return xml(
      ["GetObjectAttributesResponse", lines],
      ["Last-Modified", new Date(object.lastModifiedMs).toUTCString()],
    );
  };

  /** Objects have no tags: none are told, and none are taken. */
  const tags: Handler = async (request) => {
    await findObject(needs, request, "storage.s3.object.info");
    return xml(["Tagging", [["TagSet", []]]]);
  };

  const putTags: Handler = async (request) => {
    const root = await readDocument(await readWhole(request.payload(), settings.storageS3XmlLimitBytes), "Tagging");
    if (elementsOf(root, "TagSet").some((set) => elementsOf(set, "Tag").length > 0))
      throw problems.notImplemented("tags");
    await findObject(needs, request, "storage.s3.object.info");
    return empty(200);
  };

  const deleteTags: Handler = async (request) => {
    await findObject(needs, request, "storage.s3.object.info");
    return empty(204);
  };

  return { get, attributes, tags, putTags, deleteTags };
}
