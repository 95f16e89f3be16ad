import type { XMLParser } from "fast-xml-parser";
import { problems } from "../problems.ts";

/** Elements by name, each a list: what there is once and what there is often is read alike. Text is under `#text`. */
export interface XmlNode {
  readonly [name: string]: readonly (XmlNode | string)[];
}

/** Deepest nesting of elements: S3's own documents have five levels. */
const maxDepth = 12;

let opened: Promise<XMLParser> | null = null;

/** Loaded with the first document: most servers never read one. */
async function openParser(): Promise<XMLParser> {
  const { XMLParser } = await import("fast-xml-parser");
  return new XMLParser({
    ignoreAttributes: true,
    removeNSPrefix: true,
    parseTagValue: false,
    trimValues: false,
    processEntities: false,
    ignoreDeclaration: true,
    ignorePiTags: true,
    maxNestedTags: maxDepth,
    isArray: () => true,
  });
}

const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** The five entities of XML and characters by number. There are no others without a DTD, and a DTD is refused. */
function decodeEntities(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&([^;&\s]{1,10});|&/g, (_all, name: string | undefined) => {
    const plain = named[name ?? ""];
    if (plain !== undefined) return plain;
    const [, hex, decimal] = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/.exec(name ?? "") ?? [];
    const code = hex !== undefined ? Number.parseInt(hex, 16) : decimal !== undefined ? Number(decimal) : 0;
    const isChar = code === 9 || code === 10 || code === 13 || (code >= 32 && code <= 0x10ffff);
    if (!isChar || (code >= 0xd800 && code <= 0xdfff)) throw problems.malformedXml();
    return String.fromCodePoint(code);
  });
}

/**
 * The root element of a document. No entities, no DTD, no attributes; bounded in depth, and in size by whoever has read it.
 * @throws Problem `MalformedXML`
 */
export async function readDocument(bytes: Buffer, rootName: string): Promise<XmlNode> {
  const text = bytes.toString("utf8");
  if (/<!(?!--|\[CDATA\[)/.test(text)) throw problems.malformedXml();
  opened ??= openParser();
  const parser = await opened;
  let parsed: unknown;
  try {
    parsed = parser.parse(text, true);
  } catch (error) {
    throw Object.assign(problems.malformedXml(), { cause: error });
  }
  const [root] = nodeOf(parsed)[rootName] ?? [];
  if (root === undefined) throw problems.malformedXml();
  return nodeOf(root);
}

/** Elements of that name; an empty list where there is none. */
export function elementsOf(node: XmlNode, name: string): readonly XmlNode[] {
  return (node[name] ?? []).map(nodeOf);
}

/** The text of the element of that name; `null` when there is none. @throws Problem `MalformedXML` when there are several, or it has no text */
export function textOf(node: XmlNode, name: string): string | null {
  const found = node[name];
  if (found === undefined) return null;
  const [only] = found;
  if (found.length > 1 || only === undefined) throw problems.malformedXml();
  if (typeof only === "string") return decodeEntities(only);
  const text = only["#text"];
  if (text === undefined) return "";
  if (typeof text[0] !== "string") throw problems.malformedXml();
  return decodeEntities(text.join(""));
}

/** Whatever the parser gives for an element: text alone when there is nothing else in it. */
function nodeOf(value: unknown): XmlNode {
  if (typeof value === "string") return {};
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw problems.malformedXml();
  return value as XmlNode;
}
