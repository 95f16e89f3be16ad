/** An element with its name, and what is in it: text, or elements in their order. `null` is left out. */
export type Element = readonly [name: string, content: string | number | boolean | readonly (Element | null)[]];

const special = /[&<>"'\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu;

/** XML 1.0 has no way to write most control characters: they become U+FFFD. A bare CR would be read as LF. */
function escapeChar(char: string): string {
  switch (char) {
    case "&":
      return "&amp;";
    case "<":
      return "&lt;";
    case ">":
      return "&gt;";
    case '"':
      return "&quot;";
    case "'":
      return "&apos;";
    case "\r":
      return "&#13;";
    case "\n":
    case "\t":
      return char;
    default:
      return "\uFFFD";
  }
}

const escapeText = (text: string): string => text.replace(special, escapeChar);

function write([name, content]: Element, attributes = ""): string {
  if (typeof content !== "object") return `<${name}${attributes}>${escapeText(String(content))}</${name}>`;
  let inner = "";
  for (const element of content) if (element !== null) inner += write(element);
  return `<${name}${attributes}>${inner}</${name}>`;
}

const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** A document in S3's namespace. */
export function writeDocument(root: Element): string {
  return declaration + write(root, ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"');
}

/** An error has no namespace (Amazon S3 API reference, error responses). */
export function writeError(root: Element): string {
  return declaration + write(root);
}
