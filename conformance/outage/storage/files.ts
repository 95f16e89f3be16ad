import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { Keys } from "../server.ts";

/** What somebody outside knows of a request: done; refused by a plain no; or nothing, for the answer is missing or says that something failed. */
export type Outcome = "done" | "refused" | "unknown";

interface Range {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** Somebody who keeps files in a bucket, by every way there is, as the service role. Each call is one attempt, unless it says otherwise. */
export class Files {
  readonly url: string;
  readonly #keys: Keys;
  readonly bucket: string;
  #s3: S3Client | null = null;

  constructor({ url }: { readonly url: string }, keys: Keys, bucket = "files") {
    this.url = url;
    this.#keys = keys;
    this.bucket = bucket;
  }

  /** The same files, seen at another server. */
  at(place: { readonly url: string }): Files {
    return new Files(place, this.#keys, this.bucket);
  }

  plain(name: string, bytes: Uint8Array, isUpsert = false): Promise<Outcome> {
    return outcome(this.send("POST", `object/${this.bucket}/${name}`, bytes, upsert(isUpsert)));
  }

  form(name: string, bytes: Uint8Array, isUpsert = false): Promise<Outcome> {
    const form = new FormData();
    form.append("cacheControl", "60");
    form.append("", new Blob([new Uint8Array(bytes)], { type: "application/octet-stream" }), "file");
    return outcome(this.send("POST", `object/${this.bucket}/${name}`, form, upsert(isUpsert)));
  }

  move(from: string, to: string): Promise<Outcome> {
    return outcome(this.#json("POST", "object/move", { bucketId: this.bucket, sourceKey: from, destinationKey: to }));
  }

  copy(from: string, to: string): Promise<Outcome> {
    const body = { bucketId: this.bucket, sourceKey: from, destinationKey: to };
    return outcome(this.#json("POST", "object/copy", body, upsert(true)));
  }

  remove(name: string): Promise<Outcome> {
    return outcome(this.send("DELETE", `object/${this.bucket}/${name}`));
  }

  removeMany(names: readonly string[]): Promise<Outcome> {
    return outcome(this.#json("DELETE", `object/${this.bucket}`, { prefixes: names }));
  }

  async names(prefix = ""): Promise<string[]> {
    const answer = await this.#json("POST", `object/list/${this.bucket}`, { prefix, limit: 1_000 });
    if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
    return ((await answer.json()) as { name: string }[]).map(({ name }) => name);
  }

  /** `null`: there is none. @throws for any other answer, and one that breaks off */
  async read(name: string, range?: Range): Promise<Buffer | null> {
    const answer = await this.get(name, range);
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (answer.status === 400 && bytes.includes("NoSuchKey")) return null;
    if (answer.status !== (range === undefined ? 200 : 206)) throw new Error(`${answer.status}: ${bytes.toString()}`);
    return bytes;
  }

  get(name: string, range?: Range): Promise<Response> {
    const headers = range === undefined ? {} : { range: `bytes=${range.from}-${range.to - 1}` };
    return this.send("GET", `object/${this.bucket}/${name}`, undefined, headers);
  }

  send(
    method: string,
    path: string,
    body?: Uint8Array | FormData | ReadableStream | string,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    return fetch(path.startsWith("http") ? path : `${this.url}/storage/v1/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#keys.serviceRoleKey}`,
        apikey: this.#keys.serviceRoleKey,
        ...(body instanceof Uint8Array ? { "content-type": "application/octet-stream" } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body: body as NonNullable<RequestInit["body"]>, duplex: "half" }),
    });
  }

  /** Begins a resumable upload. @returns its URL */
  async beginResumable(name: string, lengthBytes: number): Promise<string> {
    const encoded = (text: string) => Buffer.from(text).toString("base64");
    const answer = await this.send("POST", "upload/resumable", undefined, {
      "tus-resumable": "1.0.0",
      "upload-length": String(lengthBytes),
      "upload-metadata": `bucketName ${encoded(this.bucket)},objectName ${encoded(name)}`,
      ...upsert(true),
    });
    if (answer.status !== 201) throw new Error(`${answer.status}: ${await answer.text()}`);
    return answer.headers.get("location")!;
  }

  /** @returns how far it is, and the status */
  async patch(url: string, offset: number, body: Uint8Array | ReadableStream): Promise<[number, number]> {
    const answer = await this.send("PATCH", url, body, {
      "tus-resumable": "1.0.0",
      "content-type": "application/offset+octet-stream",
      "upload-offset": String(offset),
    });
    await answer.arrayBuffer();
    return [Number(answer.headers.get("upload-offset") ?? -1), answer.status];
  }

  /** How far a resumable upload is; `null` where it is not known any more. @throws for other answers */
  async offset(url: string): Promise<number | null> {
    const answer = await this.send("HEAD", url, undefined, { "tus-resumable": "1.0.0" });
    if (answer.status === 404 || answer.status === 410) return null;
    if (answer.status !== 200) throw new Error(`HEAD ${answer.status}`);
    return Number(answer.headers.get("upload-offset"));
  }

  putS3(name: string, bytes: Uint8Array): Promise<Outcome> {
    const sent = this.s3().send(new PutObjectCommand({ ...this.#key(name), Body: bytes }));
    return outcomeOfS3(sent);
  }

  async beginS3(name: string): Promise<string> {
    return (await this.s3().send(new CreateMultipartUploadCommand(this.#key(name)))).UploadId!;
  }

  async partS3(name: string, uploadId: string, number: number, bytes: Uint8Array): Promise<string> {
    const part = { ...this.#key(name), UploadId: uploadId, PartNumber: number, Body: bytes };
    return (await this.s3().send(new UploadPartCommand(part))).ETag!;
  }

  async completeS3(name: string, uploadId: string, etags: readonly string[]): Promise<void> {
    const Parts = etags.map((ETag, at) => ({ ETag, PartNumber: at + 1 }));
    await this.s3().send(
      new CompleteMultipartUploadCommand({ ...this.#key(name), UploadId: uploadId, MultipartUpload: { Parts } }),
    );
  }

  /** A client of the S3 endpoint that tries once. */
  s3(): S3Client {
    this.#s3 ??= new S3Client({
      endpoint: `${this.url}/storage/v1/s3`,
      region: "us-east-1",
      forcePathStyle: true,
      maxAttempts: 1,
      credentials: {
        accessKeyId: "mainstay",
        secretAccessKey: this.#keys.anonKey,
        sessionToken: this.#keys.serviceRoleKey,
      },
    });
    return this.#s3;
  }

  #key = (name: string) => ({ Bucket: this.bucket, Key: name });

  #json(method: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return this.send(method, path, JSON.stringify(body), { "content-type": "application/json", ...headers });
  }
}

const upsert = (isUpsert: boolean) => ({ "x-upsert": String(isUpsert) });

async function outcome(sent: Promise<Response>): Promise<Outcome> {
  try {
    const answer = await sent;
    const text = await answer.text();
    if (answer.ok) return "done";
    return answer.status >= 500 || /"statusCode":"(423|429|5\d\d)"/.test(text) ? "unknown" : "refused";
  } catch {
    return "unknown";
  }
}

export async function outcomeOfS3(sent: Promise<unknown>): Promise<Outcome> {
  try {
    await sent;
    return "done";
  } catch (error) {
    const { httpStatusCode: status = 500 } = (error as { $metadata?: { httpStatusCode?: number } }).$metadata ?? {};
    return status >= 500 ? "unknown" : "refused";
  }
}
