import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a request is answered with instead of what is right. */
export type Fault =
  | { readonly kind: "refuse"; readonly status: number; readonly code: string }
  /** Nothing, until the client gives up. */
  | { readonly kind: "silent" }
  /** Carried out, and the answer lost. */
  | { readonly kind: "lost" }
  /** The answer begins, and after so many bytes the connection is cut, or nothing more comes. */
  | { readonly kind: "cut" | "stall"; readonly afterBytes: number }
  /** An answer with other bytes than asked for: too few, said to be all. */
  | { readonly kind: "short" };

export interface Asked {
  readonly method: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
}

export interface S3TestServer {
  readonly endpoint: string;
  readonly bucket: string;
  /** Asked before each request. */
  fault: (asked: Asked) => Fault | null;
  readonly asked: readonly Asked[];
  readonly objects: ReadonlyMap<string, { readonly bytes: Buffer; readonly at: Date }>;
  readonly uploads: ReadonlyMap<string, unknown>;
  close(): Promise<void>;
}

interface Upload {
  readonly key: string;
  readonly at: Date;
  readonly parts: Map<number, Buffer>;
}

/** S3 over real HTTP with its bytes in memory, which can be told to fail. It checks what S3 checks: lengths, checksums, parts, and that requests are signed. */
export async function startS3TestServer(): Promise<S3TestServer> {
  const bucket = "files";
  const objects = new Map<string, { bytes: Buffer; at: Date }>();
  const uploads = new Map<string, Upload>();
  const asked: Asked[] = [];
  const api = {
    bucket,
    asked,
    objects,
    uploads,
    fault: (() => null) as S3TestServer["fault"],
  };

  const answer = (
    response: ServerResponse,
    fault: Fault | null,
    status: number,
    headers: Record<string, string>,
    body: Buffer,
  ) => {
    if (fault?.kind === "lost") return void response.destroy();
    if (fault?.kind === "short") {
      response.writeHead(status, { ...headers, "content-length": String(body.length - 1) }).end(body.subarray(1));
      return;
    }
    response.writeHead(status, { "content-length": String(body.length), ...headers });
    if (fault?.kind !== "cut" && fault?.kind !== "stall") return void response.end(body);
    response.write(body.subarray(0, fault.afterBytes), () => {
      if (fault.kind === "cut") setTimeout(() => response.destroy(), 20);
    });
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "", "http://s3");
    const [, name = "", ...rest] = url.pathname.split("/");
    const key = decodeURIComponent(rest.join("/"));
    const { method = "" } = request;
    const seen: Asked = { method, key, query: url.searchParams, headers: request.headers };
    asked.push(seen);
    const fault = api.fault(seen);
    if (fault?.kind === "silent") return void request.resume();
    const body = await bodyOf(request);
    const xml = (status: number, text: string) =>
      answer(
        response,
        fault,
        status,
        { "content-type": "application/xml" },
        Buffer.from(`<?xml version="1.0"?>${text}`),
      );
    const refuse = (status: number, code: string) =>
      xml(status, `<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
    if (fault?.kind === "refuse") return refuse(fault.status, fault.code);
    if (body === null) return refuse(400, "BadDigest");
    if (!/^AWS4-HMAC-SHA256 Credential=/.test(request.headers.authorization ?? "")) return refuse(403, "AccessDenied");
    if (name !== bucket) return refuse(404, "NoSuchBucket");
    const uploadId = url.searchParams.get("uploadId");
    const upload = uploadId === null ? undefined : uploads.get(uploadId);
    if (uploadId !== null && upload?.key !== key) return refuse(404, "NoSuchUpload");

    switch (`${method} ${key === "" ? "bucket" : "object"}`) {
      case "HEAD bucket":
        return answer(response, fault, 200, {}, Buffer.alloc(0));
      case "GET bucket":
        return url.searchParams.has("uploads") ? listUploads(xml, url) : listObjects(xml, url);
      case "POST bucket": {
        if (request.headers["content-md5"] === undefined) return refuse(400, "InvalidRequest");
        for (const [, gone = ""] of body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)) objects.delete(gone);
        return xml(200, "<DeleteResult></DeleteResult>");
      }
      case "PUT object": {
        const source = request.headers["x-amz-copy-source"];
        const from =
          source === undefined ? null : objects.get(decodeURIComponent(String(source)).slice(bucket.length + 1));
        if (from === undefined) return refuse(404, "NoSuchKey");
        const range = /^bytes=(\d+)-(\d+)$/.exec(String(request.headers["x-amz-copy-source-range"] ?? ""));
        const given =
          from === null ? body : range ? from.bytes.subarray(Number(range[1]), Number(range[2]) + 1) : from.bytes;
        // Copied: what is kept here must not change with the buffer it came in.
        const bytes = Buffer.from(given);
        if (upload) upload.parts.set(Number(url.searchParams.get("partNumber")), bytes);
        else objects.set(key, { bytes, at: new Date() });
        if (from === null) return answer(response, fault, 200, { etag: etagOf(bytes) }, Buffer.alloc(0));
        const result = upload ? "CopyPartResult" : "CopyObjectResult";
        return xml(200, `<${result}><ETag>${etagOf(bytes)}</ETag></${result}>`);
      }
      case "POST object": {
        if (upload === undefined || uploadId === null) {
          const id = randomUUID();
          uploads.set(id, { key, at: new Date(), parts: new Map() });
          return xml(200, `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
        }
        const named = [...body.toString().matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = ""]) => ({
          number: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
          etag: /<ETag>([^<]*)</.exec(part)?.[1]?.replaceAll("&quot;", '"'),
        }));
        const parts = named.map(({ number, etag }) => {
          const bytes = upload.parts.get(number);
          return bytes !== undefined && etagOf(bytes) === etag ? bytes : null;
        });
        if (parts.length === 0 || parts.includes(null)) return refuse(400, "InvalidPart");
        if (parts.slice(0, -1).some((part) => (part?.length ?? 0) < 5 * 1024 ** 2))
          return refuse(400, "EntityTooSmall");
        objects.set(key, { bytes: Buffer.concat(parts as Buffer[]), at: new Date() });
        uploads.delete(uploadId);
        return xml(200, "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>");
      }
      case "DELETE object":
        if (uploadId !== null) uploads.delete(uploadId);
        else objects.delete(key);
        return answer(response, fault, 204, {}, Buffer.alloc(0));
      case "HEAD object":
      case "GET object":
        return give(response, fault, request, objects.get(key)?.bytes, refuse);
      default:
        return refuse(405, "MethodNotAllowed");
    }
  };

  const give = (
    response: ServerResponse,
    fault: Fault | null,
    request: IncomingMessage,
    bytes: Buffer | undefined,
    refuse: (status: number, code: string) => void,
  ): void => {
    if (bytes === undefined) return refuse(404, "NoSuchKey");
    const match = request.headers["if-match"];
    if (match !== undefined && match !== etagOf(bytes)) return refuse(412, "PreconditionFailed");
    const headers = { etag: etagOf(bytes), "last-modified": new Date().toUTCString() };
    if (request.method === "HEAD") {
      if (fault?.kind === "lost") return void response.destroy();
      response.writeHead(200, { ...headers, "content-length": String(bytes.length) }).end();
      return;
    }
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    if (range === null) return answer(response, fault, 200, headers, bytes);
    const [from, to] = [Number(range[1]), Math.min(Number(range[2]) + 1, bytes.length)];
    if (from >= bytes.length) return refuse(416, "InvalidRange");
    const contentRange = `bytes ${from}-${to - 1}/${bytes.length}`;
    return answer(response, fault, 206, { ...headers, "content-range": contentRange }, bytes.subarray(from, to));
  };

  /** Pages of 50, so that there are several. */
  const listObjects = (xml: (status: number, text: string) => void, url: URL): void => {
    const prefix = url.searchParams.get("prefix") ?? "";
    const after = url.searchParams.get("continuation-token") ?? "";
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).toSorted();
    const page = keys.slice(0, 50);
    const contents = page.map((key) => {
      const { bytes, at } = objects.get(key)!;
      return `<Contents><Key>${key}</Key><Size>${bytes.length}</Size><LastModified>${at.toISOString()}</LastModified></Contents>`;
    });
    const more = keys.length > page.length ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
    xml(
      200,
      `<ListBucketResult><IsTruncated>${more !== ""}</IsTruncated>${more}${contents.join("")}</ListBucketResult>`,
    );
  };

  const listUploads = (xml: (status: number, text: string) => void, url: URL): void => {
    const prefix = url.searchParams.get("prefix") ?? "";
    const marker = url.searchParams.get("upload-id-marker") ?? "";
    const ids = [...uploads]
      .filter(([id, { key }]) => key.startsWith(prefix) && id > marker)
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    const page = ids.slice(0, 2);
    const entries = page.map(
      ([id, { key, at }]) =>
        `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${at.toISOString()}</Initiated></Upload>`,
    );
    const last = page.at(-1);
    const more =
      ids.length > page.length && last
        ? `<NextKeyMarker>${last[1].key}</NextKeyMarker><NextUploadIdMarker>${last[0]}</NextUploadIdMarker>`
        : "";
    xml(
      200,
      `<ListMultipartUploadsResult><IsTruncated>${more !== ""}</IsTruncated>${more}${entries.join("")}</ListMultipartUploadsResult>`,
    );
  };

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(api, {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

const etagOf = (bytes: Buffer): string => `"${createHash("md5").update(bytes).digest("hex")}"`;

/** @returns `null` when length or checksum are not those that were said */
async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
  if (request.method === "PUT" && request.headers["content-length"] !== String(body.length)) return null;
  const md5 = request.headers["content-md5"];
  return md5 === undefined || md5 === createHash("md5").update(body).digest("base64") ? body : null;
}
