import type { Principal } from "../../../kernel/principal.ts";
import { type Call, json, type Route } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import type { WriteOrder } from "../objects/types.ts";
import type { StorageCore } from "../part.ts";
import type { StoredObject } from "../types.ts";
import { receiveFile } from "./received-file.ts";

/** The whole of a file comes in one request, and the limit is storage's own. */
export const uploadRouteOptions = ({ settings }: Pick<StorageCore, "settings">) => ({
  bodyLimitBytes: Number.MAX_SAFE_INTEGER,
  receiveTimeoutMs: settings.storageUploadTimeoutSeconds * 1_000,
});

/** What an upload's address and token settle; the rest is in the request. */
export type UploadTarget = Pick<WriteOrder, "who" | "ownerId" | "bucketId" | "name" | "isUpsert" | "operation">;

/** Takes the file of a request in under that name: a form or a raw body. */
export async function takeIn({ uploads }: StorageCore, call: Call, target: UploadTarget): Promise<StoredObject> {
  const { source, facts, sizeBytes, complete, leave } = await receiveFile(call);
  try {
    return await uploads.put({ ...target, ...facts, sizeBytes }, source, call.signal, complete);
  } finally {
    leave();
  }
}

/** Plain uploads (protocols: upload). */
export function uploadRoutes(core: StorageCore): readonly Route[] {
  const upload = async (call: Call, isUpdate: boolean) => {
    const who: Principal = callerOf(call, core.identity);
    const target: UploadTarget = {
      who,
      ownerId: who.subject,
      bucketId: call.params.bucket!,
      name: call.params["*"]!,
      isUpsert: isUpdate || call.headers["x-upsert"] === "true",
      operation: isUpdate ? "storage.object.upload_update" : "storage.object.upload",
    };
    const { id } = await takeIn(core, call, target);
    return json({ Id: id, Key: `${target.bucketId}/${target.name}` });
  };
  const path = "/object/:bucket/*";
  return [
    {
      method: "POST",
      path,
      access: "open",
      summary: "Takes in a file under a name, as a form or as it is; `x-upsert: true` replaces what has that name.",
      ...uploadRouteOptions(core),
      handle: (call) => upload(call, false),
    },
    {
      method: "PUT",
      path,
      access: "open",
      summary: "Takes in a file under a name, and replaces what has that name.",
      ...uploadRouteOptions(core),
      handle: (call) => upload(call, true),
    },
  ];
}
