import { Problem } from "../../../kernel/problem.ts";

/** What the S3 endpoint refuses with, in S3's own codes (Amazon S3 API reference, error responses). `boundary.ts` makes XML of it. */
export const problems = {
  /** Nobody has that access key, or it was revoked. See `mainstay storage s3-keys list`. */
  invalidAccessKeyId: () =>
    new Problem("InvalidAccessKeyId", 403, "The AWS access key Id you provided does not exist in our records."),
  /** The signature is not the one that the secret gives for this request: another secret, or something has changed it on its way. */
  signatureDoesNotMatch: () =>
    new Problem(
      "SignatureDoesNotMatch",
      403,
      "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    ),
  /** The request was signed at another time than it came. Set the clock of the machine that signs. */
  requestTimeTooSkewed: () =>
    new Problem(
      "RequestTimeTooSkewed",
      403,
      "The difference between the request time and the server's time is too large.",
    ),
  /** The request is not signed, or is for something that whoever signed it may not do. */
  accessDenied: (message = "Access Denied") => new Problem("AccessDenied", 403, message),
  /** The session token is none of this server, or has ended. */
  invalidToken: () => new Problem("InvalidToken", 403, "The provided token is malformed or otherwise invalid."),
  /** The session token has expired. Sign in again. */
  expiredToken: () => new Problem("ExpiredToken", 400, "The provided token has expired."),
  /** The `Authorization` header is not one of Signature Version 4. */
  authorizationHeaderMalformed: (message: string) => new Problem("AuthorizationHeaderMalformed", 400, message),
  /** The parameters of a presigned URL are not complete, or do not fit together. */
  authorizationQueryParametersError: (message: string) =>
    new Problem("AuthorizationQueryParametersError", 400, message),
  /** A header that the signature or the payload needs is not there. */
  missingSecurityHeader: (name: string) =>
    new Problem("MissingSecurityHeader", 400, `Your request is missing the required header ${name}.`),
  /** The body is not the one that was signed. */
  contentSha256Mismatch: () =>
    new Problem(
      "XAmzContentSHA256Mismatch",
      400,
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
  /** The body is not the one its checksum is of. */
  badDigest: (name: string) =>
    new Problem("BadDigest", 400, `The ${name} you specified did not match the calculated checksum.`),
  /** The checksum is none. */
  invalidDigest: (name: string) => new Problem("InvalidDigest", 400, `The ${name} you specified is not valid.`),
  /** Fewer bytes came than were announced, or the chunks are not what they say. */
  incompleteBody: (message = "You did not provide the number of bytes specified by the Content-Length HTTP header") =>
    new Problem("IncompleteBody", 400, message),
  /** How many bytes will come has to be announced: `x-amz-decoded-content-length`. */
  missingContentLength: () =>
    new Problem("MissingContentLength", 411, "You must provide the Content-Length HTTP header."),
  /** The XML is none, or not what the operation takes. */
  malformedXml: (
    message = "The XML you provided was not well-formed or did not validate against our published schema",
  ) => new Problem("MalformedXML", 400, message),
  /** The form is not what a browser's upload has to be. */
  malformedPostRequest: (message: string) => new Problem("MalformedPOSTRequest", 400, message),
  /** The policy of a browser's upload cannot be read. */
  invalidPolicyDocument: (message: string) => new Problem("InvalidPolicyDocument", 400, message),
  /** The URL names nothing that can be. */
  invalidUri: () => new Problem("InvalidURI", 400, "Couldn't parse the specified URI."),
  /** A parameter or a header cannot be used. */
  invalidArgument: (message: string) => new Problem("InvalidArgument", 400, message),
  /** The request cannot be carried out as it is. */
  invalidRequest: (message: string) => new Problem("InvalidRequest", 400, message),
  /** S3 has it, Mainstay has not. */
  notImplemented: (what: string) =>
    new Problem(
      "NotImplemented",
      501,
      `A header or parameter you provided implies functionality that is not implemented: ${what}.`,
    ),
  /** The thing exists, and this cannot be done with it. */
  methodNotAllowed: () =>
    new Problem("MethodNotAllowed", 405, "The specified method is not allowed against this resource."),
  /** A condition of the request does not hold: `If-Match`, `If-None-Match` and their like. */
  preconditionFailed: (condition: string) =>
    new Problem("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold", {
      details: { Condition: condition },
    }),
  /** A part of a multipart upload, other than the last, is smaller than `storageS3PartMinBytes`. */
  entityTooSmall: () =>
    new Problem("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed object size."),
  /** A part was not uploaded, or has another ETag. */
  invalidPart: () =>
    new Problem(
      "InvalidPart",
      400,
      "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match.",
    ),
  /** Parts have to be named in ascending order. */
  invalidPartOrder: () =>
    new Problem(
      "InvalidPartOrder",
      400,
      "The list of parts was not in ascending order. Parts must be ordered by part number.",
    ),
  /** The range is beyond the end of the object. */
  invalidRange: () => new Problem("InvalidRange", 416, "The requested range is not satisfiable"),
  /** User metadata larger than an object may have. */
  metadataTooLarge: () =>
    new Problem("MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size"),
  /** A bucket has that name already. */
  alreadyOwned: () =>
    new Problem(
      "BucketAlreadyOwnedByYou",
      409,
      "Your previous request to create the named bucket succeeded and you already own it.",
    ),
  /** Objects are in the bucket: delete them first. */
  notEmpty: () => new Problem("BucketNotEmpty", 409, "The bucket you tried to delete is not empty"),
  /** An access key of S3 was to run as a role that there is not, or that is a superuser's. */
  keyRole: (role: string) =>
    new Problem(
      "storage/s3-key-role",
      400,
      `Requests cannot run as the role "${role}": there is no such role, or it is a superuser's.`,
    ),
  /** An access key of S3 was to be of a user who is not there. */
  keyUser: (userId: string) =>
    new Problem("storage/s3-key-user", 400, `There is no user ${userId}.`, {
      hint: "`mainstay user list` shows who there is.",
    }),
};
