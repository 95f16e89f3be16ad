import { decodeBase64, encodeBase64 } from "./std-encoding-base64.ts";

/** std/encoding/base64url.ts, under its names then and now. */
export function encodeBase64Url(data: string | ArrayBuffer | Uint8Array): string {
  return encodeBase64(data).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

export const decodeBase64Url = (text: string): Uint8Array =>
  decodeBase64(text.replaceAll("-", "+").replaceAll("_", "/"));

export { decodeBase64Url as decode, encodeBase64Url as encode };
