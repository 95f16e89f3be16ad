import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import type { GivenSettings } from "@mainstay/server";
import { type BootedApp, boot } from "@mainstay/testing";

/** Everybody who is signed in may write and read what is theirs, in every bucket. */
const app = `
  insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values
    ('files', 'files', false, null, null),
    ('small', 'small', false, 1000, null),
    ('pictures', 'pictures', false, null, '{image/png}'),
    ('drop', 'drop', true, null, null);
  create policy theirs on storage.objects for all to authenticated
    using (owner_id = auth.jwt() ->> 'sub') with check (owner_id = auth.jwt() ->> 'sub' and name not like 'forbidden/%');
  create policy anybody on storage.objects for insert to anon with check (bucket_id = 'drop');
`;

export interface Person {
  readonly id: string;
  readonly token: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  /** `Upload-Offset`; NaN when there is none. */
  readonly offset: number;
  readonly location: string;
}

export type HeaderMap = Readonly<Record<string, string>>;

/** A whole server, and people who upload to it. */
export interface FilesApp extends BootedApp {
  person(email: string): Promise<Person>;
  /** What is stored, as the service sees it; `null` when nothing is. */
  stored(bucket: string, name: string): Promise<Buffer | null>;
}

export async function bootFiles(
  storage: GivenSettings["storage"] = {},
  sql = "",
  http: GivenSettings["http"] = {},
): Promise<FilesApp> {
  const booted = await boot({ sql: app + sql, settings: { storage, http, auth: { mailerAutoconfirm: true } } });
  return Object.assign(booted, {
    async person(email: string): Promise<Person> {
      const response = await fetch(`${booted.url}/auth/v1/signup`, {
        method: "POST",
        headers: { apikey: booted.anonKey, "content-type": "application/json" },
        body: JSON.stringify({ email, password: "correct horse battery" }),
      });
      const { user, access_token } = (await response.json()) as { user: { id: string }; access_token: string };
      return { id: user.id, token: access_token };
    },
    async stored(bucket: string, name: string): Promise<Buffer | null> {
      const response = await fetch(`${booted.url}/storage/v1/object/${bucket}/${name}`, {
        headers: { authorization: `Bearer ${booted.serviceRoleKey}` },
      });
      return response.status === 200 ? Buffer.from(await response.arrayBuffer()) : null;
    },
  });
}

export const metadataOf = (pairs: HeaderMap): string =>
  Object.entries(pairs)
    .map(([name, value]) => `${name} ${Buffer.from(value).toString("base64")}`)
    .join(",");

/** One request of TUS. `null` leaves a header out. */
export async function tus(
  method: string,
  url: string,
  token: string | null,
  headers: Readonly<Record<string, string | null>> = {},
  body?: Uint8Array,
): Promise<Answer> {
  const all = { "tus-resumable": "1.0.0", ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers };
  const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null);
  const response = await fetch(url, {
    method,
    headers: given,
    ...(body === undefined ? {} : { body: new Uint8Array(body) }),
  });
  const offset = response.headers.get("upload-offset");
  return {
    status: response.status,
    headers: response.headers,
    body: await response.text(),
    offset: offset === null ? Number.NaN : Number(offset),
    location: response.headers.get("location") ?? "",
  };
}

export const endpoint = (url: string): string => `${url}/storage/v1/upload/resumable`;

/** Begins an upload. */
export function create(
  url: string,
  token: string | null,
  file: { readonly bucket?: string; readonly name: string; readonly length?: number },
  headers: Readonly<Record<string, string | null>> = {},
  body?: Uint8Array,
): Promise<Answer> {
  return tus(
    "POST",
    endpoint(url),
    token,
    {
      "upload-metadata": metadataOf({ bucketName: file.bucket ?? "files", objectName: file.name }),
      ...(file.length === undefined ? { "upload-defer-length": "1" } : { "upload-length": String(file.length) }),
      ...headers,
    },
    body,
  );
}

export const bytesType = { "content-type": "application/offset+octet-stream" };

export const patch = (
  location: string,
  token: string | null,
  offset: number,
  bytes: Uint8Array,
  headers: Readonly<Record<string, string | null>> = {},
): Promise<Answer> =>
  tus("PATCH", location, token, { ...bytesType, "upload-offset": String(offset), ...headers }, bytes);

export const head = (location: string): Promise<Answer> => tus("HEAD", location, null);

export const someBytes = (size: number): Buffer => randomBytes(size);

/** A request whose sender can go away in the midst of it. */
export class RawPatch {
  readonly #socket;
  readonly #answered: Promise<string>;

  constructor(location: string, token: string, offset: number, lengthBytes: number) {
    const url = new URL(location);
    this.#socket = connect(Number(url.port), url.hostname);
    let text = "";
    this.#socket.on("data", (chunk) => {
      text += chunk.toString();
    });
    this.#socket.on("error", () => {});
    this.#answered = new Promise((resolve) => this.#socket.on("close", () => resolve(text)));
    this.#socket.write(
      `PATCH ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: Bearer ${token}\r\nTus-Resumable: 1.0.0\r\n` +
        `Content-Type: application/offset+octet-stream\r\nUpload-Offset: ${offset}\r\nContent-Length: ${lengthBytes}\r\n` +
        `Connection: close\r\n\r\n`,
    );
  }

  /** Resolves when the kernel has it. */
  send(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  /** The end of the connection, as a network does it that is there no more, or properly. */
  cut(how: "reset" | "close" = "reset"): void {
    if (how === "reset") this.#socket.resetAndDestroy();
    else this.#socket.end();
  }

  /** Everything the server has said. */
  answer(): Promise<string> {
    return this.#answered;
  }
}
