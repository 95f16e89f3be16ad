import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import type { BootedApp } from "@mainstay/testing";
import type { ActiveFile } from "./active-files.ts";

/** Stores a file under a key. @returns whether it was taken */
type Entrance = (bucket: string, key: string, file: Pick<ActiveFile, "contentType" | "bytes">) => Promise<boolean>;

/** All ways by which files come in and go out, with the rights of the service: policies are tried elsewhere. */
export function entrancesOf(app: BootedApp) {
  const base = `${app.url}/storage/v1`;
  const service = { authorization: `Bearer ${app.serviceRoleKey}` };
  const s3 = new S3Client({
    endpoint: `${base}/s3`,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: "mainstay", secretAccessKey: app.anonKey, sessionToken: app.serviceRoleKey },
  });
  const send = async (path: string, method: string, headers: Record<string, string>, body: Buffer) => {
    const reply = await fetch(base + path, { method, headers, body: new Uint8Array(body) });
    await reply.arrayBuffer();
    return reply.ok;
  };

  const ways: Readonly<Record<string, Entrance>> = {
    raw: (bucket, key, { contentType, bytes }) =>
      send(`/object/${bucket}/${key}`, "POST", { ...service, "content-type": contentType }, bytes),
    replaced: async (bucket, key, { contentType, bytes }) => {
      const path = `/object/${bucket}/${key}`;
      await send(path, "POST", { ...service, "content-type": "image/png" }, Buffer.from("png"));
      return send(path, "PUT", { ...service, "content-type": contentType }, bytes);
    },
    form: (bucket, key, { contentType, bytes }) => {
      const head = `--edge\r\nContent-Disposition: form-data; name=""; filename="f"\r\nContent-Type: ${contentType}\r\n\r\n`;
      const body = Buffer.concat([Buffer.from(head), bytes, Buffer.from("\r\n--edge--\r\n")]);
      const headers = { ...service, "content-type": "multipart/form-data; boundary=edge" };
      return send(`/object/${bucket}/${key}`, "POST", headers, body);
    },
    signed: async (bucket, key, { contentType, bytes }) => {
      const path = `/object/upload/sign/${bucket}/${key}`;
      const reply = await fetch(base + path, { method: "POST", headers: service });
      const { url } = (await reply.json()) as { url: string };
      return send(url, "PUT", { "content-type": contentType }, bytes);
    },
    resumable: (bucket, key, { contentType, bytes }) => {
      const metadata = Object.entries({ bucketName: bucket, objectName: key, contentType })
        .filter(([, text]) => text !== "")
        .map(([name, text]) => `${name} ${Buffer.from(text).toString("base64")}`);
      const headers = {
        ...service,
        "tus-resumable": "1.0.0",
        "upload-length": String(bytes.length),
        "upload-metadata": metadata.join(","),
        "content-type": "application/offset+octet-stream",
      };
      return send("/upload/resumable", "POST", headers, bytes);
    },
    s3: (bucket, key, { contentType, bytes }) =>
      s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes, ContentType: contentType })).then(
        () => true,
        () => false,
      ),
  };

  const presigned = (bucket: string, key: string, as?: string): Promise<string> =>
    getSignedUrl(s3, new GetObjectCommand({ Bucket: bucket, Key: key, ResponseContentType: as }), { expiresIn: 600 });

  const signedUrl = async (bucket: string, key: string): Promise<string> => {
    const reply = await fetch(`${base}/object/sign/${bucket}/${key}`, {
      method: "POST",
      headers: { ...service, "content-type": "application/json" },
      body: JSON.stringify({ expiresIn: 600 }),
    });
    return base + ((await reply.json()) as { signedURL: string }).signedURL;
  };

  return {
    ways,
    /** Every address that a browser can open without sending a header. */
    async addresses(open: string, closed: string, key: string): Promise<Readonly<Record<string, string>>> {
      const signed = await signedUrl(closed, key);
      return {
        public: `${base}/object/public/${open}/${key}`,
        plain: `${base}/object/${open}/${key}`,
        "public, shown by name": `${base}/object/public/${open}/${key}?download=a.html`,
        signed,
        "signed, to save": `${signed}&download=`,
        render: `${base}/render/image/public/${open}/${key}?width=10`,
        presigned: await presigned(closed, key),
        "presigned as a page": await presigned(closed, key, "text/html"),
      };
    },
    authenticated: (bucket: string, key: string): string => `${base}/object/authenticated/${bucket}/${key}`,
    service,
    stop: () => s3.destroy(),
  };
}
