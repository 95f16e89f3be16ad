import { type Call, empty, type Reply, type Route, type RouteGroup } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import type { StorageCore } from "../part.ts";
import { problems } from "../problems.ts";
import { storageCors, mount as storageMount } from "../routes.ts";
import type { UploadTokens } from "../signed/index.ts";
import { resumableBoundary } from "./boundary.ts";
import { checksumAlgorithms, checksumOf } from "./checksum.ts";
import {
  bringsBytes,
  bytesIn,
  concatOf,
  httpDate,
  lengthOf,
  methodOf,
  requireVersion,
  tusExtensions,
  tusHeaders,
  tusVersion,
} from "./headers.ts";
import { Incoming } from "./incoming.ts";
import { nameOfUrl } from "./location.ts";
import type { Asker } from "./memo.ts";
import { readMetadata } from "./metadata.ts";
import { resumableProblems } from "./problems.ts";
import type { Created, CreateWish, Resumable } from "./service.ts";

const mount = `${storageMount}/upload/resumable`;

/** In whose name a request comes that is about this object. */
export type AskerOf = (call: Call, bucketId: string, key: string) => Asker | Promise<Asker>;

/** By key or token, as everywhere. */
export const askerByToken =
  ({ identity }: Pick<StorageCore, "identity">): AskerOf =>
  (call) => {
    const who = callerOf(call, identity);
    return { who, ownerId: who.subject, signedUpsert: null };
  };

/** By what somebody has signed for others: the header `x-signature`. Everything else the token decides (threats S02, S03). */
export const askerBySignature =
  (tokens: UploadTokens): AskerOf =>
  ({ headers }, bucketId, name) => {
    const signature = headers["x-signature"];
    if (typeof signature !== "string" || signature === "") throw problems.missingParameter("x-signature");
    const { who, ownerId, isUpsert } = tokens.verify(signature, { bucketId, name });
    return { who, ownerId, signedUpsert: isUpsert };
  };

/** Resumable uploads (protocols: resumable uploads; https://tus.io/protocols/resumable-upload). `ways` are the paths below the mount, and who asks there. */
export function resumableGroup(
  core: StorageCore,
  resumable: Resumable,
  ways: readonly { readonly path: string; readonly askerOf: AskerOf }[],
): RouteGroup {
  const routes = ways.flatMap(({ path, askerOf }) => routesOf(core, resumable, path, askerOf));
  return { mount, boundary: resumableBoundary, cors: storageCors, routes };
}

function routesOf({ settings }: StorageCore, resumable: Resumable, path: string, askerOf: AskerOf): readonly Route[] {
  const limits = {
    // Which limit holds is known when the bucket is.
    bodyLimitBytes: Number.MAX_SAFE_INTEGER,
    receiveTimeoutMs: settings.storageResumableReceiveSeconds * 1_000,
  };
  const collection = path === "" ? "/" : path;
  const one = `${path}/:id`;
  const options = (): Reply =>
    empty(204, [
      ...tusHeaders,
      "Tus-Version",
      tusVersion,
      "Tus-Extension",
      tusExtensions,
      "Tus-Max-Size",
      String(settings.storageFileSizeLimitBytes),
      "Tus-Checksum-Algorithm",
      checksumAlgorithms.join(","),
    ]);

  const create = (call: Call): Promise<Reply> => receiving(call, (incoming) => createWith(call, incoming));
  const receive = (call: Call): Promise<Reply> => receiving(call, (incoming) => receiveFrom(call, incoming));

  const createWith = async (call: Call, incoming: Incoming): Promise<Reply> => {
    requireVersion(call.headers);
    const concat = concatOf(call.headers);
    const header = String(call.headers["upload-metadata"] ?? "");
    const metadata = readMetadata(header);
    const wish: CreateWish = {
      asker: await askerOf(call, metadata.bucketId, metadata.key),
      address: call.address,
      signal: call.signal,
      metadata,
      isUpsert: call.headers["x-upsert"] === "true",
      sizeBytes: concat.kind === "final" ? null : lengthOf(call.headers),
      isPartial: concat.kind === "partial",
      sent: { metadata: header, concat: sentConcat(call) },
      bytes: bringsBytes(call.headers)
        ? { incoming, announcedBytes: announcedBytes(call), checksum: checksumOf(call.headers["upload-checksum"]) }
        : null,
    };
    const created =
      concat.kind === "final"
        ? await resumable.concatenate(
            wish,
            concat.urls.map((url) => nameOfUrl(url, mount)),
          )
        : await resumable.create(wish);
    return empty(201, createdHeaders(call, created));
  };

  const createdHeaders = (call: Call, { id, offsetBytes, expiresAtMs, isFinished }: Created): readonly string[] => [
    ...tusHeaders,
    "Location",
    `${call.origin}${mount}${path}/${id}`,
    "Upload-Offset",
    String(offsetBytes),
    ...ending(expiresAtMs, isFinished),
  ];

  const look = async (call: Call): Promise<Reply> => {
    requireVersion(call.headers);
    const progress = await resumable.look(call.params.id!, call.signal);
    return empty(200, [
      ...tusHeaders,
      "Upload-Offset",
      String(progress.offsetBytes),
      ...(progress.lengthBytes === null
        ? ["Upload-Defer-Length", "1"]
        : ["Upload-Length", String(progress.lengthBytes)]),
      ...(progress.metadata === "" ? [] : ["Upload-Metadata", progress.metadata]),
      ...(progress.concat === null ? [] : ["Upload-Concat", progress.concat]),
      ...ending(progress.expiresAtMs, false),
      "Cache-Control",
      "no-store",
    ]);
  };

  const receiveFrom = async (call: Call, incoming: Incoming): Promise<Reply> => {
    requireVersion(call.headers);
    if (!bringsBytes(call.headers)) throw resumableProblems.wrongContentType();
    const offsetBytes = bytesIn(call.headers, "upload-offset");
    if (offsetBytes === null) throw resumableProblems.invalidHeader("Upload-Offset", "a number");
    const received = await resumable.receive(
      call.params.id!,
      async (row) => askerOf(call, row.bucketId, row.memo.name),
      {
        incoming,
        signal: call.signal,
        offsetBytes,
        announcedBytes: announcedBytes(call),
        lengthBytes: bytesIn(call.headers, "upload-length"),
        checksum: checksumOf(call.headers["upload-checksum"]),
      },
    );
    return empty(204, [
      ...tusHeaders,
      "Upload-Offset",
      String(received.offsetBytes),
      ...ending(received.expiresAtMs, received.isFinished),
    ]);
  };

  const terminate = async (call: Call): Promise<Reply> => {
    requireVersion(call.headers);
    await resumable.terminate(call.params.id!, async (row) => askerOf(call, row.bucketId, row.memo.name), call.signal);
    return empty(204, tusHeaders);
  };

  const handle = (call: Call): Promise<Reply> => {
    switch (methodOf(call)) {
      case "HEAD":
        return look(call);
      case "PATCH":
        return receive(call);
      case "DELETE":
        return terminate(call);
      default:
        throw problems.invalidRequest("X-HTTP-Method-Override must be PATCH, DELETE or HEAD.");
    }
  };

  return [
    {
      method: "OPTIONS",
      path: collection,
      access: "open",
      summary: "Says which version and extensions of TUS are spoken, and how large files may be.",
      handle: options,
    },
    {
      method: "POST",
      path: collection,
      access: "open",
      summary: "Begins a resumable upload, or puts partial ones together; the answer's `Location` is where it goes on.",
      ...limits,
      handle: create,
    },
    {
      method: "OPTIONS",
      path: one,
      access: "open",
      summary: "Says the same of one upload.",
      handle: options,
    },
    {
      method: "HEAD",
      path: one,
      access: "open",
      summary: "Says how far a resumable upload is.",
      handle,
    },
    {
      method: "PATCH",
      path: one,
      access: "open",
      summary: "Brings bytes to a resumable upload, from `Upload-Offset` on; the last of them make the object visible.",
      ...limits,
      handle,
    },
    {
      method: "DELETE",
      path: one,
      access: "open",
      summary: "Ends a resumable upload that is not finished.",
      handle,
    },
    {
      method: "POST",
      path: one,
      access: "open",
      summary:
        "Stands for PATCH, DELETE or HEAD, as `X-HTTP-Method-Override` says, where a proxy lets nothing else pass.",
      ...limits,
      handle,
    },
  ];
}

/** Receives from the beginning on, unless the sender waits to be told that it may send. */
async function receiving(call: Call, work: (incoming: Incoming) => Promise<Reply>): Promise<Reply> {
  const incoming = new Incoming(call.stream());
  if (bringsBytes(call.headers) && call.headers.expect === undefined) incoming.begin();
  try {
    return await work(incoming);
  } finally {
    incoming.leave();
  }
}

/** `Content-Length`; `null` where the body comes in chunks. */
function announcedBytes({ headers }: Pick<Call, "headers">): number | null {
  if (headers["content-length"] !== undefined) return Number(headers["content-length"]);
  return headers["transfer-encoding"] === undefined ? 0 : null;
}

function sentConcat({ headers }: Pick<Call, "headers">): string | null {
  const header = headers["upload-concat"];
  return header === undefined ? null : String(header);
}

/** What clients are told of an upload's end: when it is given up, or that it is there. */
function ending(expiresAtMs: number | null, isFinished: boolean): readonly string[] {
  if (isFinished) return ["Tus-Complete", "1"];
  return expiresAtMs === null ? [] : ["Upload-Expires", httpDate(expiresAtMs)];
}
