import { createHmac } from "node:crypto";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { type BootedApp, boot } from "@mainstay/testing";

/** Known to the tests, so that they can mint tokens of their own. */
export const jwtSecret = "conformance-secret-of-at-least-thirty-two-bytes";

export const ann = "0b5f3c2a-7a0e-4c65-9f6e-2d1d8b7f1a01";
export const ben = "0b5f3c2a-7a0e-4c65-9f6e-2d1d8b7f1a02";

/** A bucket for everybody's things, one for each user's own, and one for pictures alone. */
const schema = `
  insert into storage.buckets (id, name) values ('things', 'things'), ('own', 'own');
  insert into storage.buckets (id, name, file_size_limit, allowed_mime_types) values ('pictures', 'pictures', 100000, '{image/png}');
  create policy "own files" on storage.objects for all to authenticated
    using (bucket_id = 'own' and (storage.foldername(name))[1] = (select auth.uid())::text)
    with check (bucket_id = 'own' and (storage.foldername(name))[1] = (select auth.uid())::text);
  create policy "shared files are read" on storage.objects for select to authenticated
    using (bucket_id = 'own' and (storage.foldername(name))[1] = 'shared');
`;

export interface S3App extends BootedApp {
  readonly endpoint: string;
  /** Credentials of the service. */
  readonly service: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Credentials of a user's session. */
  session(userId: string): { accessKeyId: string; secretAccessKey: string; sessionToken: string };
  /** A client: of the service unless told otherwise, that tries once. */
  client(config?: S3ClientConfig): S3Client;
}

/** Settings of the server by group, as in `mainstay.config.ts`. */
export type AppSettings = NonNullable<NonNullable<Parameters<typeof boot>[0]>["settings"]>;

/** Boots a server whose parts may be small, so that tests need not send much. */
export async function startApp(settings: AppSettings = {}): Promise<S3App> {
  const app = await boot({
    sql: schema,
    settings: {
      ...settings,
      identity: { jwtSecret, jwtAlgorithm: "HS256", ...settings.identity },
      storage: { storageFileSizeLimitBytes: 200_000_000, ...settings.storage },
    },
  });
  const endpoint = `${app.url}/storage/v1/s3`;
  const service = {
    accessKeyId: "mainstay",
    secretAccessKey: app.anonKey,
    sessionToken: app.serviceRoleKey,
  };
  return {
    ...app,
    endpoint,
    service,
    session: (userId) => ({
      accessKeyId: "mainstay",
      secretAccessKey: app.anonKey,
      sessionToken: userToken(userId),
    }),
    client: (config = {}) =>
      new S3Client({
        endpoint,
        region: "us-east-1",
        forcePathStyle: true,
        maxAttempts: 1,
        credentials: service,
        ...config,
      }),
  };
}

/** A token of a signed-in user, as RFC 7515 §3.1 signs it. Lives five minutes unless told otherwise. */
export function userToken(sub: string, claims: Readonly<Record<string, unknown>> = {}): string {
  const now = Math.floor(Date.now() / 1000);
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const all = { sub, role: "authenticated", aud: "authenticated", iat: now, exp: now + 300, ...claims };
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(all)}`;
  return `${signed}.${createHmac("sha256", jwtSecret).update(signed).digest("base64url")}`;
}
