/**
 * Names that lead elsewhere if anybody walks them (threat S01): some three hundred, as text. Those with a percent sign are what a careless client,
 * or a careful attacker, has encoded once, twice or wrongly.
 */
export function evilKeys(parent: string, folder: string): readonly string[] {
  const targets = ["outside.txt", "etc/passwd", "windows/win.ini", ".env", "store"];
  const steps = [
    "../", "../../", "../../../../../../../../", "./", "./../", "a/../", "a/../../", "a/b/../../../", "a/./", "..//", "//", "/", "///",
    "..\\", "..\\..\\", "a\\..\\..\\", "\\", "\\\\host\\share\\", "\\\\?\\C:\\", "C:/", "C:\\", "c:", "z:/", "file:///", "file://localhost/",
    "%2e%2e/", "%2e%2e%2f", "%2E%2E%2F%2e%2e%2f", "..%2f", "..%5c", "%2e%2e%5c", "%252e%252e%252f", "%252e%252e/", "..%252f", "%25252e%25252e%25252f",
    "%c0%ae%c0%ae/", "%c0%ae%c0%ae%c0%af", "%e0%80%ae%e0%80%ae/", "%f0%80%80%ae/", "%c0%af", "%e0%80%af", "..%c0%af", "..%c1%9c", "%uff0e%uff0e/",
    "\u2024\u2024/", "\uff0e\uff0e/", "\u2025/", "\ufe52\ufe52/", "..\u2215", "..\u2044", "..\uff0f", "\u202e../", "..\u200b/", ".\u0301./",
    "..;/", "..;a=b/", ".. /", " ../", "...//", "....//", "..../", ".../", "..?/", "..#/", "~/", "~root/", "$HOME/", "%HOME%/", "`id`/", "$(id)/",
  ]; // biome-ignore format: a table
  const alone = [
    "", ".", "..", "/", "//", "./", "../", "a/..", "a/.", "a/../b", "a/./b", "/a", "\\a", "a\\b", "\0", "a\0", "a\0.png", "%00", "a%00.png", "%2500",
    "a%0d%0aSet-Cookie:%20x=1", "a\r\nb", "a\nb", "a\tb", "\u007f", "\u0080", "\u0085", "\u2028", "\ufeff", "\ufeffa", "\ufffd", "\ufffe", "%ff", "%80", "%",
    "%2", "%zz", "%2g", "a%", "\u{1f4a9}", "caf\u00e9", "e\u0301", "\u0130", "\u00df", "CON", "con", "NUL", "nul.txt", "AUX", "PRN", "COM1", "com1.txt",
    "LPT1", "a/CON/b", "a.", "a ", " a", "a. ", "trailing/", "a//b", "a//", "a::$DATA", "a:b", "a:", ":a", "*", "?", "a?b", "a#b", "<a>", "|a", "a|b", "\"a\"",
    "'", "''", "a'; drop table buckets;--", "a%27", "-rf", "--help", ".git/config", ".htaccess", ".mainstay/keys.json", "vendor/x",
    "__proto__", "constructor", "toString", "hasOwnProperty", "__proto__/a", "emptyFolderPlaceholder", ".emptyFolderPlaceholder",
    "sign", "public", "authenticated", "info", "list", "list-v2", "upload/sign/a", "public/open/a", "render/image/public/open/a",
    "a".repeat(255), "a".repeat(256), "a".repeat(1_024), "a".repeat(1_025), "a".repeat(8_000), "\u{1f4a9}".repeat(300), "%41".repeat(400),
    "a/".repeat(511), "a/".repeat(512), `${"a/".repeat(1_000)}a`, "../".repeat(300), "/".repeat(1_000), "./".repeat(500), ".".repeat(1_000),
    `${parent}/outside.txt`, `${folder}`, `${folder}/../outside.txt`, `/proc/self/environ`, "/dev/zero", "/dev/stdin", "proc/self/fd/1", "store/writing/x",
    "{}", "[]", "[object Object]", "null", "undefined", "NaN", "true", "0", "-1", "1e999", "%{1}", "$"+"{7*7}", "{{7*7}}", "<%= 7 %>", "%s%n%x", "*/*",
  ]; // biome-ignore format: a table
  return [
    ...new Set([
      ...steps.flatMap((step, at) => [
        step + targets[at % targets.length]!,
        step + targets[(at + 1) % targets.length]!,
        `a/${step}b`,
      ]),
      ...alone,
    ]),
  ];
}

/** Percent-encodes all but what may stand in a segment: the name arrives as it is. */
export const pathOf = (key: string): string =>
  key
    .split("/")
    .map((segment) => encodeURIComponent(segment.toWellFormed()))
    .join("/");
