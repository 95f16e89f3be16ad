import { createHash, createHmac } from "node:crypto";
import { type Ask, wired } from "./http.ts";

export interface S3Credentials {
  readonly id: string;
  readonly secret: string;
  readonly sessionToken?: string;
}

const hmac = (key: Buffer | string, text: string): Buffer => createHmac("sha256", key).update(text).digest();
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** As the server reads a segment; what cannot be decoded stays, and has no good signature. */
const canonical = (segment: string): string => {
  try {
    return encode(decodeURIComponent(segment));
  } catch {
    return segment;
  }
};

/**
 * Signs a request by Signature Version 4 with any path at all, where SDKs would refuse it or write it otherwise. `target` is the whole path and
 * query, as it is on the wire.
 */
export function signed(ask: Ask, host: string, { id, secret, sessionToken }: S3Credentials): Ask {
  const target = wired(ask.target);
  const [path = "", query = ""] = target.split("?", 2);
  const time = new Date().toISOString().replace(/[-:]|\.\d{3}/g, "");
  const scope = `${time.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const headers: Record<string, string> = {
    ...ask.headers,
    host,
    "x-amz-date": time,
    "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    ...(sessionToken === undefined ? {} : { "x-amz-security-token": sessionToken }),
  };
  const names = Object.keys(headers).sort();
  const parameters = query
    .split("&")
    .filter((part) => part !== "")
    .map((part) => part.split("=", 2).map((each) => canonical(each ?? "")))
    .map(([name = "", value = ""]) => `${name}=${value}`)
    .sort();
  const request = [
    ask.method,
    path.split("/").map(canonical).join("/"),
    parameters.join("&"),
    ...names.map((name) => `${name}:${headers[name]!.trim().replace(/ +/g, " ")}`),
    "",
    names.join(";"),
    "UNSIGNED-PAYLOAD",
  ].join("\n");
  const key = [time.slice(0, 8), "us-east-1", "s3", "aws4_request"].reduce<Buffer | string>(hmac, `AWS4${secret}`);
  const signature = hmac(key as Buffer, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(request)}`).toString("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=${id}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return { ...ask, target, headers: { ...headers, authorization } };
}
