import { Problem } from "../../../kernel/problem.ts";

/** What resumable uploads refuse besides. Statuses are those of TUS 1.0.0. */
export const resumableProblems = {
  /** The client speaks another version of TUS, or none: send `Tus-Resumable: 1.0.0`. */
  unsupportedVersion: () =>
    new Problem("TusVersion", 412, "Tus-Resumable: 1.0.0 is required.", { headers: { "Tus-Version": "1.0.0" } }),
  /** A header is missing, or is not what TUS 1.0.0 has there. */
  invalidHeader: (name: string, wanted: string) => new Problem("InvalidRequest", 400, `${name} must be ${wanted}.`),
  /** The bytes sent do not begin where those that are there end. Ask for the offset with HEAD, and go on from there. */
  offsetConflict: () => new Problem("OffsetConflict", 409, "Upload-Offset conflict"),
  /** Bytes of an upload come as `application/offset+octet-stream`. */
  wrongContentType: () =>
    new Problem("InvalidContentType", 415, "Content-Type must be application/offset+octet-stream."),
  /** The server does not know that way to make a checksum. */
  unknownChecksum: (known: readonly string[]) =>
    new Problem("InvalidChecksum", 400, `Upload-Checksum must use one of ${known.join(", ")}.`),
  /** The bytes came out other than they were sent. Nothing of the request is kept: send it again. */
  checksumMismatch: () => new Problem("ChecksumMismatch", 460, "Checksum mismatch"),
  /** The file came in too many pieces. Begin anew, with larger ones. */
  tooManySegments: (limit: number) =>
    new Problem("TooManyParts", 400, `An upload has at most ${limit} parts. Begin anew with larger ones.`),
  /** The upload is finished, and what is left to do with it is done with the object. */
  isFinished: () => new Problem("UploadFinished", 400, "The upload is finished."),
  /** An upload that is put together from others takes no bytes of its own. */
  isFinal: () => new Problem("UploadIsFinal", 403, "A final upload takes no bytes."),
  /** Only whole partial uploads of the same caller, for the same bucket, can be put together. */
  unusableParts: () =>
    new Problem("InvalidParts", 400, "Upload-Concat must name partial uploads of this caller that are whole."),
} as const;
