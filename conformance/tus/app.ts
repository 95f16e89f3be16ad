import { randomBytes, randomUUID } from "node:crypto";
import { Upload, type UploadOptions } from "tus-js-client";

/** One bucket, where everybody has files of their own. */
export const sql = `
  insert into storage.buckets (id, name) values ('files', 'files');
  create policy theirs on storage.objects for all to authenticated
    using (owner_id = auth.jwt() ->> 'sub') with check (owner_id = auth.jwt() ->> 'sub');
`;

/** Where requests go, and with which keys. */
export interface Place {
  readonly url: string;
  readonly anonKey: string;
  readonly serviceRoleKey: string;
}

/** A person's token. */
export async function signedUp({ url, anonKey }: Place): Promise<string> {
  const answer = await fetch(`${url}/auth/v1/signup`, {
    method: "POST",
    headers: { apikey: anonKey, "content-type": "application/json" },
    body: JSON.stringify({ email: `${randomUUID()}@conformance.example`, password: "correct horse battery" }),
  });
  const { access_token } = (await answer.json()) as { access_token: string };
  return access_token;
}

/** What is stored, as the service sees it; `null` when nothing is. */
export async function stored({ url, serviceRoleKey }: Place, name: string): Promise<Buffer | null> {
  const answer = await fetch(`${url}/storage/v1/object/files/${name}`, {
    headers: { authorization: `Bearer ${serviceRoleKey}` },
  });
  return answer.status === 200 ? Buffer.from(await answer.arrayBuffer()) : null;
}

export const endpointOf = ({ url }: Pick<Place, "url">): string => `${url}/storage/v1/upload/resumable`;
export const someBytes = (size: number): Buffer => randomBytes(size);

/** An upload as apps of Supabase set it up. @returns the upload, and what becomes of it */
export function uploadOf(
  place: Place,
  token: string,
  name: string,
  file: ConstructorParameters<typeof Upload>[0],
  options: Partial<UploadOptions> = {},
): { readonly upload: Upload; readonly ended: Promise<void> } {
  let upload: Upload | undefined;
  const ended = new Promise<void>((resolve, reject) => {
    upload = new Upload(file, {
      endpoint: endpointOf(place),
      retryDelays: [0, 50, 100, 200, 500, 1_000, 1_000, 2_000, 2_000],
      headers: { authorization: `Bearer ${token}`, "x-upsert": "false" },
      uploadDataDuringCreation: true,
      removeFingerprintOnSuccess: true,
      metadata: { bucketName: "files", objectName: name, contentType: "image/png", cacheControl: "3600" },
      chunkSize: 6 * 1024 * 1024,
      ...options,
      onSuccess: () => resolve(),
      onError: reject,
    });
  });
  // Whoever only looks at the upload has no use for how it ended.
  ended.catch(() => {});
  return { upload: upload!, ended };
}
