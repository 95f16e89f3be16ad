import { createHash } from "node:crypto";
import type { S3Client } from "@aws-sdk/client-s3";
import type { S3Options } from "./options.ts";
import { retryStrategy } from "./retries.ts";

/** Loaded with the first use: it is 40 MB of memory that servers with a folder do not need. */
export const library = () => import("@aws-sdk/client-s3");
export type S3Library = Awaited<ReturnType<typeof library>>;

/**
 * The library, set up so that it fails in time, tries again what can be tried again, and speaks what all S3 servers understand. All bodies are in memory, so
 * that they can be sent again.
 */
export async function openClient(options: S3Options): Promise<{ readonly s3: S3Library; readonly client: S3Client }> {
  const s3 = await library();
  const sockets = { maxSockets: options.connections, keepAlive: true };
  const client = new s3.S3Client({
    region: options.region,
    ...(options.endpoint === null ? {} : { endpoint: options.endpoint }),
    ...(options.credentials === null ? {} : { credentials: options.credentials }),
    forcePathStyle: options.hasPathStyle,
    retryStrategy: retryStrategy(options.attempts),
    // Not every server knows the newer checksums; all know Content-MD5, which is sent below.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // Saves nothing on bodies that are in memory, and makes some servers wait.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: options.connectTimeoutMs,
      requestTimeout: options.answerTimeoutMs,
      throwOnRequestTimeout: true,
      // Downloads may wait for whoever reads them; what stalls by itself is seen in read.ts.
      socketTimeout: 0,
      // A queue for connections is ours to have: many downloads are no mistake.
      socketAcquisitionWarningTimeout: 3_600_000,
      httpAgent: sockets,
      httpsAgent: sockets,
    },
    logger: silent,
  });
  // S3 requires a checksum of the body here, and the library's own is one that older servers do not take for it.
  client.middlewareStack.add(
    (next, context) => (args) => {
      const request = args.request as { body?: unknown; headers?: Record<string, string> };
      if (context.commandName === "DeleteObjectsCommand" && typeof request.body === "string" && request.headers) {
        request.headers["content-md5"] = md5Of(Buffer.from(request.body));
      }
      return next(args);
    },
    { step: "build", name: "contentMd5OfDeleteObjects", priority: "low" },
  );
  return { s3, client };
}

const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** As `Content-MD5` has it (RFC 1864). */
export const md5Of = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("base64");
