/** Elements that begin a line of their own. */
const blocks =
  /^(?:address|article|blockquote|center|div|dl|dt|dd|fieldset|figure|footer|form|h[1-6]|header|hr|li|main|ol|p|pre|section|table|tr|ul)$/;
const silent = /^(?:head|style|script|title|template)$/;

const entities: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  ndash: "–",
  mdash: "—",
  hellip: "…",
  copy: "©",
  euro: "€",
  zwnj: "",
};

/**
 * A mail's text for those who read no HTML, when its project has written none: what is visible, with links behind their words.
 * Linear in the document, and it fails at nothing.
 */
export function htmlToText(html: string): string {
  let out = "";
  let silence: string | null = null;
  let link: { readonly url: string; readonly at: number } | null = null;
  const tokens = html.matchAll(
    /<!--[\s\S]*?(?:-->|$)|<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?:"[^"]*"|'[^']*'|[^"'<>])*)>|[^<]+|</g,
  );
  for (const [token, slash, name, attributes] of tokens) {
    if (name === undefined) {
      if (silence === null && !token.startsWith("<!--")) out += decoded(token.replace(/\s+/g, " "));
      continue;
    }
    const tag = name.toLowerCase();
    if (silence !== null) {
      if (slash === "/" && tag === silence) silence = null;
    } else if (slash === "" && silent.test(tag)) silence = tag;
    else if (tag === "br") out += "\n";
    else if (tag === "td" || tag === "th") out += " ";
    else if (tag === "li" && slash === "") out += "\n- ";
    else if (tag === "a" && slash === "") link = linkOf(attributes ?? "", out.length);
    else if (tag === "a" && link !== null) {
      out = withLink(out, link);
      link = null;
    } else if (blocks.test(tag)) out += tag === "p" || /^h\d/.test(tag) ? "\n\n" : "\n";
  }
  return out
    .split("\n")
    .map((line) => line.replace(/[ \t]+/g, " ").trim())
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

function linkOf(attributes: string, at: number): { url: string; at: number } | null {
  const found = /\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i.exec(attributes);
  const url = found === null ? "" : decoded(found[1] ?? found[2] ?? found[3] ?? "").trim();
  return url === "" || url.startsWith("#") ? null : { url, at };
}

function withLink(out: string, link: { readonly url: string; readonly at: number }): string {
  const words = out.slice(link.at).trim();
  if (words === link.url) return out;
  return words === "" ? `${out}${link.url}` : `${out}: ${link.url}`;
}

const decoded = (text: string): string =>
  text.replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z]{2,8}));/g, (all, decimal, hex, name: string) => {
    if (name !== undefined) return entities[name.toLowerCase()] ?? all;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    // Figure space and combining joiner: what previews are padded with.
    if (code === 8199 || code === 847) return "";
    return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : "\ufffd";
  });
