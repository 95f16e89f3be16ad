/**
 * Takes secrets out of text that is about to be logged (threat A28). It runs over whole finished lines, whatever they were
 * made of: an error's message quotes a URL, a database quotes a row, and no list of fields would know.
 *
 * Linear in the text: every pattern starts at a fixed word and stops at the first delimiter.
 */
export function redact(text: string): string {
  let clean = text;
  for (const [pattern, replacement] of rules) clean = clean.replace(pattern, replacement);
  return clean;
}

/** Names whose value is a secret, as query parameter, JSON member, header or cookie. Longer names before their beginnings. */
const secretNames = [
  "apikey|api[_-]key|x-api-key|proxy-authorization|authorization|set-cookie|cookie",
  "access_token|refresh_token|id_token|provider_token|provider_refresh_token|confirmation_token|recovery_token",
  "token_hash|token|code_verifier|code_challenge|auth_code|code|nonce|otp",
  "encrypted_password|current_password|new_password|password|passwd|pgpassword",
  "client_secret|jwt_secret|service_role_key|secret_key|secret|private_key|signature|sig",
].join("|");

const rules: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  // JSON, also JSON quoted inside JSON: the quotes of name and value carry equally many backslashes. Numbers and null stay.
  [
    new RegExp(`(\\\\*")(${secretNames})\\1(\\s*:\\s*)\\1(?:(?!\\1)[^\\n]|(?<=\\\\)\\1)*(?<!\\\\)\\1`, "gi"),
    "$1$2$1$3$1[redacted]$1",
  ],
  [/\b(Bearer|Basic|Digest)\s+[\w.~+/=-]+/gi, "$1 [redacted]"],
  // A header as text: everything to the end of the line or of the string it stands in.
  [/\b((?:proxy-)?authorization|apikey|x-api-key|(?:set-)?cookie)(\s*:\s*)(?!\\*")[^"\\\r\n]+/gi, "$1$2[redacted]"],
  // `name=value` in query strings, fragments, cookies and connection strings. `code=` only where a parameter can stand:
  // an exit code in prose is none.
  [new RegExp(`(^|[?&#;\\s"'(])(${secretNames})=[^&#;\\s"'\\\\)]+`, "gi"), "$1$2=[redacted]"],
  // The password of a URL's authority.
  [/([a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@"']{0,128}):[^\s/@"']{1,512}@/gi, "$1:[redacted]@"],
  // A JWT or JWE by its shape: `ey` is how base64url of an object's opening brace and quote begins.
  [/\bey[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*){0,3}/g, "[redacted token]"],
  [/\bsb_(secret|publishable|temp)_[\w-]+/g, "sb_$1_[redacted]"],
  // A private key in PEM, on one line (escaped) or several.
  [/-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?/g, "[redacted private key]"],
];
