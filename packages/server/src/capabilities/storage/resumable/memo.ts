import type { Principal } from "../../../kernel/principal.ts";
import type { WriteOrder } from "../objects/types.ts";
import type { Operation } from "../types.ts";
import type { UploadMetadata } from "./metadata.ts";

/** In whose name a request comes: by a token, or by what somebody else has signed. */
export interface Asker {
  readonly who: Principal;
  /** Who the object belongs to. */
  readonly ownerId: string | null;
  /** Whether an object is replaced, where a signature decides it; `null` where the request does. */
  readonly signedUpsert: boolean | null;
}

/** What is remembered of an upload from its beginning to its end, as JSON with its version. Whoever goes on with it must be who began it. */
export interface Memo {
  readonly kind: "resumable";
  readonly name: string;
  readonly role: string;
  readonly subject: string | null;
  readonly isSigned: boolean;
  readonly ownerId: string | null;
  readonly isUpsert: boolean;
  readonly contentType: string;
  readonly cacheControl: string;
  readonly userMetadata: Readonly<Record<string, unknown>> | null;
  /** Bytes; `null` when it was not announced. */
  readonly sizeBytes: number | null;
  /** `Upload-Metadata` as it was sent: TUS wants it told again. */
  readonly metadata: string;
  /** `Upload-Concat` as it was sent. */
  readonly concat: string | null;
}

export interface Begun {
  readonly metadata: UploadMetadata;
  readonly isUpsert: boolean;
  readonly sizeBytes: number | null;
  /** The headers as they were sent. */
  readonly sent: { readonly metadata: string; readonly concat: string | null };
}

export function memoOf({ who, ownerId, signedUpsert }: Asker, begun: Begun): Memo {
  const { key, contentType, cacheControl, userMetadata } = begun.metadata;
  return {
    kind: "resumable",
    name: key,
    role: who.role,
    subject: who.subject,
    isSigned: signedUpsert !== null,
    ownerId,
    isUpsert: signedUpsert ?? begun.isUpsert,
    contentType,
    cacheControl,
    userMetadata,
    sizeBytes: begun.sizeBytes,
    metadata: begun.sent.metadata,
    concat: begun.sent.concat,
  };
}

/** Whether it is the one who began it (threat S12). A signature is bound to the object by whoever checks it. */
export function isTheirs(memo: Memo, { who, ownerId, signedUpsert }: Asker): boolean {
  return (
    memo.isSigned === (signedUpsert !== null) &&
    memo.ownerId === ownerId &&
    memo.role === who.role &&
    memo.subject === who.subject
  );
}

/** The order that an upload carries out, asked by somebody who is here now. */
export function orderOf(memo: Memo, bucketId: string, who: Principal, operation: Operation): WriteOrder {
  const { name, ownerId, isUpsert, contentType, cacheControl, userMetadata, sizeBytes } = memo;
  return { who, ownerId, bucketId, name, isUpsert, operation, contentType, cacheControl, userMetadata, sizeBytes };
}
