import { problems } from "../../capabilities/storage/problems.ts";
import { Problem } from "../../kernel/problem.ts";

/** What the library throws for an answer that refuses: S3's code as its name, and the status. */
interface S3Failure {
  readonly name: string;
  readonly message: string;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
}

const asFailure = (error: unknown): S3Failure | null => (error instanceof Error ? (error as S3Failure) : null);

/** There is no such key. A bucket that is missing is no answer about keys. An answer to HEAD has no code, only the status. */
export const isMissing = (error: unknown): boolean => {
  const failure = asFailure(error);
  return failure?.name === "NoSuchKey" || failure?.name === "NotFound";
};

export const isMissingUpload = (error: unknown): boolean => asFailure(error)?.name === "NoSuchUpload";
/** The blob ends before the range begins, or is another one than a moment ago. */
export const isOutOfRange = (error: unknown): boolean => asFailure(error)?.$metadata?.httpStatusCode === 416;
/** Some servers do not list unfinished uploads. */
export const isNotImplemented = (error: unknown): boolean => asFailure(error)?.$metadata?.httpStatusCode === 501;

/** Codes of Ceph, MinIO and of this product, and the status that says it (RFC 4918 §11.5). */
const full: ReadonlySet<string> = new Set(["QuotaExceeded", "XMinioStorageFull", "StorageFull", "InsufficientStorage"]);

/**
 * What a failed request means to whoever wanted bytes. Only what S3 said is kept as the cause: the library's errors hold the request with its
 * signature. What the caller's signal or source said stays what it is.
 */
export function failureOf(error: unknown): unknown {
  const failure = asFailure(error);
  if (failure === null || error instanceof Problem || !isOfTheStore(failure)) return error;
  const { httpStatusCode: status, requestId } = failure.$metadata ?? {};
  const code = "code" in failure ? ` ${String(failure.code)}` : "";
  const about = [status, requestId].filter((each) => each !== undefined).join(", ");
  const cause = new Error(
    `${failure.name}${code}: ${failure.message.slice(0, 300)}${about === "" ? "" : ` (${about})`}`,
  );
  return status === 507 || full.has(failure.name) ? problems.storeFull(cause) : problems.storeUnavailable(cause);
}

/** An answer of the server, or none of it: the library marks both. So is a machine that has no credentials to give. */
const isOfTheStore = (failure: S3Failure): boolean =>
  failure.$metadata !== undefined || failure instanceof ReadFailure || failure.name === "CredentialsProviderError";

/** The bytes of an answer stopped coming, or were not those that were asked for. */
export class ReadFailure extends Error {
  override readonly name = "ReadFailure";
}
