import { type AttributeKind, attributeKind, cssValue, escapeUnquoted, refused, urlValue } from "./escape.ts";
import { escapeHtml } from "./functions.ts";
import { textOf } from "./values.ts";

/** Takes what a template writes, literally and from data, in order. */
export interface Writer {
  literal(text: string): void;
  value(value: unknown): void;
  /** Characters so far. */
  readonly length: number;
  finish(): string;
}

/** For subjects and plain text. */
export class TextWriter implements Writer {
  #text = "";

  get length(): number {
    return this.#text.length;
  }
  literal(text: string): void {
    this.#text += text;
  }
  value(value: unknown): void {
    this.#text += textOf(value);
  }
  finish(): string {
    return this.#text;
  }
}

/** Where in a document the next character stands (HTML standard §13.2.5, Tokenization). */
type State =
  | "text"
  | "tag-open"
  | "tag-name"
  | "in-tag"
  | "attribute-name"
  | "after-name"
  | "before-value"
  | "value"
  | "markup"
  | "comment"
  | "raw";

const isSpace = (character: string): boolean => " \t\n\r\f".includes(character);
const isLetter = (character: string): boolean => /[a-zA-Z]/.test(character);

/** Elements whose content is no markup, and what a value means there. */
const rawElements: ReadonlyMap<string, "text" | "css" | "script"> = new Map([
  ["script", "script"],
  ["style", "css"],
  ["title", "text"],
  ["textarea", "text"],
]);

/**
 * Writes HTML and escapes every value for the place it stands at, so that it can end neither its text, its attribute nor its
 * tag, and starts no script (threat X05). Go's html/template finds the places before it runs; following what is really
 * written needs no branch to end where another does, and cannot be wrong about it. Only literal text changes the place.
 */
export class HtmlWriter implements Writer {
  #out = "";
  #state: State = "text";
  #tag = "";
  #isEndTag = false;
  #attribute = "";
  /** `"`, `'`, or `""` for a value without quotes. */
  #quote = "";
  #kind: AttributeKind = "plain";
  /** What a URL attribute holds so far; its beginning is enough. */
  #url = "";
  /** The last characters of a comment, of markup's beginning, or of a possible end tag. */
  #tail = "";

  get length(): number {
    return this.#out.length;
  }

  finish(): string {
    if (this.#state === "tag-open") this.#out += "&lt;";
    this.#state = "text";
    return this.#out;
  }

  literal(text: string): void {
    for (const character of text) this.#step(character);
  }

  value(value: unknown): void {
    const text = textOf(value);
    switch (this.#state) {
      case "tag-open":
        this.#out += "&lt;";
        this.#state = "text";
        this.#out += escapeHtml(text);
        return;
      case "text":
        this.#out += escapeHtml(text);
        return;
      case "raw":
        return this.#rawValue(value, text);
      case "tag-name":
        // Half a name and data could make it a script's.
        return this.#append(refused, "tag");
      case "in-tag":
      case "after-name":
        this.#beginAttribute();
        return this.#append(isHarmlessName(text) ? text : refused, "attribute");
      case "attribute-name":
        return this.#append(/^[a-zA-Z0-9-]*$/.test(text) ? text : refused, "attribute");
      case "before-value":
        this.#beginValue("");
        return this.#attributeValue(value, text);
      case "value":
        return this.#attributeValue(value, text);
      case "comment":
      case "markup":
        return;
    }
  }

  #append(text: string, to: "tag" | "attribute"): void {
    this.#out += text;
    if (to === "tag") this.#tag += text.toLowerCase();
    else this.#attribute += text;
  }

  #rawValue(value: unknown, text: string): void {
    this.#tail = "";
    switch (rawElements.get(this.#tag)) {
      case "css":
        this.#out += cssValue(value);
        return;
      case "script":
        this.#out += refused;
        return;
      default:
        this.#out += escapeHtml(text);
    }
  }

  #attributeValue(value: unknown, text: string): void {
    const written = this.#written(value, text);
    this.#out += this.#quote === "" ? escapeUnquoted(written) : escapeHtml(written);
  }

  #written(value: unknown, text: string): string {
    switch (this.#kind) {
      case "plain":
        return text;
      case "css":
        return cssValue(value);
      case "script":
      case "document":
        return refused;
      case "url": {
        const isList = this.#attribute.toLowerCase().endsWith("srcset");
        const url = urlValue(value, this.#url);
        this.#extendUrl(url);
        return isList ? url.replaceAll(",", "%2C") : url;
      }
    }
  }

  #extendUrl(text: string): void {
    // Whether a query has begun and what the scheme is are all that is asked of it.
    if (this.#url.length < 256 || /[?#]/.test(text)) this.#url += text.slice(0, 4_096);
  }

  #step(character: string): void {
    switch (this.#state) {
      case "text":
        // Written when it is known to begin a tag.
        if (character === "<") this.#state = "tag-open";
        else this.#out += character;
        return;
      case "tag-open":
        return this.#tagOpen(character);
      case "raw":
        return this.#raw(character);
      case "comment":
        return this.#comment(character);
      case "markup":
        return this.#markup(character);
      default:
        this.#out += character;
        this.#inTag(character);
    }
  }

  #tagOpen(character: string): void {
    if (isLetter(character)) {
      this.#out += `<${character}`;
      return this.#beginTag(character, false);
    }
    if (character === "/" || character === "!" || character === "?") {
      this.#out += `<${character}`;
      if (character === "/") return this.#beginTag("", true);
      this.#state = "markup";
      this.#tail = character;
      return;
    }
    this.#out += "&lt;";
    this.#state = "text";
    this.#step(character);
  }

  #beginTag(first: string, isEndTag: boolean): void {
    this.#tag = first.toLowerCase();
    this.#isEndTag = isEndTag;
    this.#state = "tag-name";
  }

  #inTag(character: string): void {
    if (this.#state === "value") return this.#inValue(character);
    if (character === ">") return this.#endTag();
    switch (this.#state) {
      case "tag-name":
        if (isSpace(character) || character === "/") this.#state = "in-tag";
        else this.#tag += character.toLowerCase();
        return;
      case "in-tag":
        if (isSpace(character) || character === "/") return;
        this.#beginAttribute();
        this.#attribute = character;
        return;
      case "attribute-name":
        if (character === "=") this.#state = "before-value";
        else if (isSpace(character)) this.#state = "after-name";
        else if (character === "/") this.#state = "in-tag";
        else this.#attribute += character;
        return;
      case "after-name":
        if (character === "=") this.#state = "before-value";
        else if (character === "/") this.#state = "in-tag";
        else if (!isSpace(character)) {
          this.#beginAttribute();
          this.#attribute = character;
        }
        return;
      case "before-value":
        if (isSpace(character)) return;
        this.#beginValue(character === '"' || character === "'" ? character : "");
        if (this.#quote === "") this.#inValue(character);
    }
  }

  #beginAttribute(): void {
    this.#attribute = "";
    this.#state = "attribute-name";
  }

  #beginValue(quote: string): void {
    this.#quote = quote;
    this.#kind = attributeKind(this.#attribute);
    this.#url = "";
    this.#state = "value";
  }

  #inValue(character: string): void {
    if (this.#quote === "" ? isSpace(character) : character === this.#quote) this.#state = "in-tag";
    else if (this.#quote === "" && character === ">") this.#endTag();
    else if (this.#kind === "url") this.#extendUrl(character);
  }

  #endTag(): void {
    this.#state = !this.#isEndTag && rawElements.has(this.#tag) ? "raw" : "text";
    this.#tail = "";
  }

  /** In `<style>` and its like only their own end tag ends them. */
  #raw(character: string): void {
    this.#out += character;
    const end = `</${this.#tag}`;
    const tail = this.#tail + character.toLowerCase();
    if (this.#tail === end && (isSpace(character) || character === "/" || character === ">")) {
      this.#isEndTag = true;
      this.#state = "in-tag";
      if (character === ">") this.#endTag();
    } else if (end.startsWith(tail)) {
      this.#tail = tail;
    } else {
      this.#tail = character === "<" ? "<" : "";
    }
  }

  /**
   * `<!doctype …>`, `<?…>`, and how comments begin. Outlook reads what stands between `<!--[if …]>` and `<![endif]-->`, and
   * buttons made for it have links: that counts as document. Escaped values cannot end the comment that others see.
   */
  #markup(character: string): void {
    this.#out += character;
    this.#tail += character;
    if (this.#tail === "!--") {
      this.#state = "comment";
      this.#tail = "";
    } else if (character === ">") {
      this.#state = "text";
    } else if (this.#tail.length > 8) {
      this.#tail = "markup";
    }
  }

  #comment(character: string): void {
    this.#out += character;
    this.#tail += character;
    if (this.#tail === "[if") {
      this.#state = "markup";
      return;
    }
    if (/^-{0,1}>$|--!?>$/.test(this.#tail)) this.#state = "text";
    // Long enough to see its end, and longer than the beginnings that mean something.
    if (this.#tail.length > 8) this.#tail = `####${this.#tail.slice(-4)}`;
  }
}

/** A name that data may give to an attribute: one whose value is text and nothing else. */
const isHarmlessName = (name: string): boolean =>
  /^[a-zA-Z][a-zA-Z0-9-]*$/.test(name) && attributeKind(name) === "plain" && !commandingNames.has(name.toLowerCase());

const commandingNames: ReadonlySet<string> = new Set(
  "async challenge charset content defer enctype form http-equiv integrity language name pattern rel sandbox target type value".split(
    " ",
  ),
);
