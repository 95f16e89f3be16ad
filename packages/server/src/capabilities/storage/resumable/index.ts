import type { StorageCore, StoragePart } from "../part.ts";
import { uploadTokensOf } from "../signed/index.ts";
import { Holds } from "./holds.ts";
import { askerBySignature, askerByToken, resumableGroup } from "./routes.ts";
import { Resumable } from "./service.ts";

/** Uploads that survive bad networks and dead servers (protocols: resumable uploads). */
export function resumablePart(core: StorageCore): StoragePart {
  const holds = new Holds(core);
  const resumable = new Resumable(core, holds);
  return {
    groups: [
      resumableGroup(core, resumable, [
        { path: "", askerOf: askerByToken(core) },
        { path: "/sign", askerOf: askerBySignature(uploadTokensOf(core)) },
      ]),
    ],
    start: () => holds.start(),
    stop: () => holds.stop(),
  };
}
