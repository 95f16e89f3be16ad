/** A cookie as std/http/cookie.ts has it; attributes are those of RFC 6265 §5.2. */
export interface Cookie {
  name: string;
  value: string;
  expires?: Date | number;
  maxAge?: number;
  domain?: string;
  path?: string;
  secure?: boolean;
  httpOnly?: boolean;
  sameSite?: "Strict" | "Lax" | "None";
  partitioned?: boolean;
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const octets = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;
const attribute = /^[\x20-\x3a\x3c-\x7e]*$/;

export function getCookies(headers: Headers): Record<string, string> {
  const cookies: Record<string, string> = Object.create(null);
  for (const pair of (headers.get("cookie") ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (at > 0) cookies[pair.slice(0, at).trim()] ??= pair.slice(at + 1).trim();
  }
  return cookies;
}

export function setCookie(headers: Headers, cookie: Cookie): void {
  const { domain, expires, httpOnly, maxAge, name, partitioned, path, sameSite, secure, value } = cookie;
  if (!token.test(name)) throw new SyntaxError(`"${name}" is no name of a cookie.`);
  if (!octets.test(value))
    throw new SyntaxError(`The value of the cookie "${name}" has characters that a cookie cannot have.`);
  if (![domain ?? "", path ?? ""].every((text) => attribute.test(text))) {
    throw new SyntaxError(`The domain or path of the cookie "${name}" has characters that it cannot have.`);
  }
  const attributes = [
    expires === undefined ? null : `Expires=${new Date(expires).toUTCString()}`,
    maxAge === undefined ? null : `Max-Age=${Math.trunc(maxAge)}`,
    domain === undefined ? null : `Domain=${domain}`,
    path === undefined ? null : `Path=${path}`,
    secure ? "Secure" : null,
    httpOnly ? "HttpOnly" : null,
    sameSite === undefined ? null : `SameSite=${sameSite}`,
    partitioned ? "Partitioned" : null,
  ];
  headers.append("set-cookie", [`${name}=${value}`, ...attributes.filter((text) => text !== null)].join("; "));
}

export function deleteCookie(headers: Headers, name: string, attributes: Pick<Cookie, "path" | "domain"> = {}): void {
  setCookie(headers, { ...attributes, name, value: "", expires: 0 });
}
