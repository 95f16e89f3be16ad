import { createHash, createHmac } from "node:crypto";

const hmac = (key: Buffer | string, text: string): Buffer => createHmac("sha256", key).update(text).digest();

/**
 * Headers of a GET that is signed by Signature Version 4, by a user's own session. It is good for some minutes, as often as one likes.
 * @param query encoded, its parameters in the order of their names
 */
export function signedGet(
  { host, path, query }: { readonly host: string; readonly path: string; readonly query: string },
  { secret, token }: { readonly secret: string; readonly token: string },
): Readonly<Record<string, string>> {
  const time = new Date().toISOString().replace(/[-:]|\.\d{3}/g, "");
  const scope = `${time.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const headers: Readonly<Record<string, string>> = {
    host,
    "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    "x-amz-date": time,
    "x-amz-security-token": token,
  };
  const names = Object.keys(headers).join(";");
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}`);
  const canonical = ["GET", path, query, ...lines, "", names, "UNSIGNED-PAYLOAD"].join("\n");
  const key = scope.split("/").reduce<Buffer | string>(hmac, `AWS4${secret}`);
  const hash = createHash("sha256").update(canonical).digest("hex");
  const signature = hmac(key as Buffer, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash}`).toString("hex");
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=mainstay/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  };
}
