import { Problem } from "../../../kernel/problem.ts";
import type { Call, Reply, Route, RouteGroup } from "../../../kernel/route.ts";
import type { StorageCore, StoragePart } from "../part.ts";
import { mount as storageMount } from "../routes.ts";
import { createServing } from "../serving/index.ts";
import { authenticate } from "./authenticate.ts";
import { renderError, s3Boundary } from "./boundary.ts";
import { checksumStore } from "./checksum-store.ts";
import { s3Cors } from "./cors.ts";
import { createCredentials } from "./credentials/credentials.ts";
import { postObject } from "./form/post-object.ts";
import { locationOf } from "./location.ts";
import { multipartStore } from "./multipart-store.ts";
import { operationFor, operationsOf } from "./operations/index.ts";
import { openPayload } from "./payload/payload.ts";
import type { S3Request } from "./request.ts";
import { readQuery } from "./signature/encoding.ts";
import { s3Store } from "./store.ts";

export { type AccessKey, type AccessKeys, createAccessKeys, type KeyOrder } from "./credentials/keys.ts";

const mount = `${storageMount}/s3`;

/** Files by the protocol of Amazon S3, path style, for servers and tools (protocols: S3-compatible endpoint). */
export function s3Part(core: StorageCore): StoragePart {
  if (!core.settings.storageS3Enabled) return {};
  const needs = {
    ...core,
    find: createCredentials(core),
    store: s3Store(core),
    multipart: multipartStore(core.db),
    checksums: checksumStore(core.db),
    serving: createServing(core),
  };
  const operations = operationsOf(needs);
  const post = postObject(needs);

  const answer = async (call: Call): Promise<Reply> => {
    const location = locationOf(call.path, mount);
    const isForm = call.method === "POST" && /^multipart\/form-data/i.test(call.headers["content-type"] ?? "");
    if (isForm && location.bucket !== "" && location.key === "") return post(call, location.bucket);
    const { claim, verified, who } = await authenticate(call, needs);
    const request: S3Request = {
      call,
      who,
      ...location,
      isPresigned: claim.kind === "presigned",
      parameters: new Map(readQuery(call.query)),
      payload: () => openPayload(call, claim.payloadHash, verified),
    };
    return operationFor(operations, request).handle(request);
  };

  /** Here and not by the boundary, which knows no path: S3's errors name what they are about. */
  const handle = async (call: Call): Promise<Reply> => {
    try {
      const reply = await answer(call);
      return { ...reply, headers: [...reply.headers, "x-amz-request-id", call.id] };
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return renderError(error, { method: call.method, id: call.id, resource: call.path.slice(mount.length) });
    }
  };

  const route = (method: Route["method"], path: string, summary: string): Route => ({
    method,
    path,
    access: "open",
    summary,
    bodyLimitBytes: Number.MAX_SAFE_INTEGER,
    receiveTimeoutMs: core.settings.storageS3UploadTimeoutMs,
    handle,
  });
  const group: RouteGroup = {
    mount,
    boundary: s3Boundary,
    cors: s3Cors,
    routes: [
      route("GET", "/", "Lists the buckets that the caller may see."),
      route(["GET", "HEAD"], "/*", "Reads an object or what is known of it, or lists a bucket, by the parameters."),
      route("PUT", "/*", "Makes a bucket, or takes in or copies an object or a part of one."),
      route(
        "POST",
        "/*",
        "Begins or completes a multipart upload, deletes many objects, or takes in a browser's form.",
      ),
      route("DELETE", "/*", "Deletes a bucket or an object, or gives up a multipart upload."),
    ],
  };
  return { groups: [group] };
}
