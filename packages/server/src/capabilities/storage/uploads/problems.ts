import { Problem } from "../../../kernel/problem.ts";

export const uploadProblems = {
  /** The form ends early, or is none. Nothing was stored. */
  formMalformed: () => new Problem("InvalidRequest", 400, "The multipart form is malformed or ends early."),
  /** A form brings one file. A part is one when it has a file name, or the type `application/octet-stream`. */
  formWithoutFile: () => new Problem("InvalidRequest", 400, "The multipart form has no file."),
  /** A form has one file, and at most ten fields of 1 MB. */
  formTooMuch: () => new Problem("InvalidRequest", 400, "The multipart form has more than one file and ten fields."),
  /** The boundary of a form has at most 70 characters (RFC 2046 §5.1.1). */
  formBoundary: () => new Problem("InvalidRequest", 400, "The multipart form's boundary is missing or no boundary."),
  /** A form within a form. Send one file in each request. */
  formNested: () => new Problem("InvalidRequest", 400, "A part of the multipart form is a multipart itself."),
  /** A form is read as it comes. Pack the file in it, and say so in the field `contentEncoding`. */
  formEncoding: () =>
    new Problem("InvalidRequest", 415, "A multipart form is sent as it is: its Content-Encoding is not undone.", {
      hint: "Send the form without Content-Encoding.",
    }),
  /** `contentEncoding` is what the header `Content-Encoding` may say: `gzip`, `br`. */
  contentEncoding: () => new Problem("InvalidParameter", 400, "contentEncoding must be a Content-Encoding header."),
  /** `cacheControl` is a number of seconds, or what the header `Cache-Control` may say. */
  cacheControl: () => new Problem("InvalidParameter", 400, "cacheControl must be seconds or a Cache-Control header."),
  /** `metadata` is a JSON object of at most 1 MB; in the header `x-metadata` it is in base64. */
  metadata: () => new Problem("InvalidParameter", 400, "metadata must be a JSON object of at most 1 MB."),
};
