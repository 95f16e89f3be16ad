/** Longest file name told to a browser, in characters: no file system has longer ones. */
const maxNameChars = 200;
/** Controls, what turns the direction of text around, and what a file system takes for folders. */
const unwanted = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069/\\]/gu;
/** Bytes that RFC 8187 §3.2.1 lets stand as they are. */
const plain = /[A-Za-z0-9!#$&+.^_`|~-]/;

function percentEncoded(text: string): string {
  let encoded = "";
  for (const byte of Buffer.from(text)) {
    const char = String.fromCharCode(byte);
    encoded += byte < 128 && plain.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/**
 * `Content-Disposition` that saves the file, under a name where one is asked for (RFC 6266): in ASCII for old clients, and whole in
 * UTF-8 (RFC 8187). Whatever the name has in it, the header is one line and nothing else (threat S05).
 */
export function attachment(name: string): string {
  const cleaned = name
    .slice(0, 4 * maxNameChars)
    .toWellFormed()
    .replace(unwanted, "_");
  const short = [...cleaned].slice(0, maxNameChars).join("").trim();
  if (short === "") return "attachment;";
  const ascii = short.replace(/[^\x20-\x7e]/g, "_").replace(/["%]/g, "_");
  return `attachment; filename="${ascii}"; filename*=UTF-8''${percentEncoded(short)}`;
}
