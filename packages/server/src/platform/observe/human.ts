const colours: Readonly<Record<string, string>> = { trace: "90", debug: "90", info: "36", warn: "33", error: "31" };

/** Fields the sentence has said, or that only machines want. */
const left = new Set(["level", "time", "kind", "msg", "error"]);

/**
 * A log line for people, made of the JSON one: `12:03:04.123 info  Listening on …  key=value`. Control characters are
 * escaped: a caller's path must not move the cursor of whoever reads the log.
 */
export function humanLine(jsonLine: string, hasColour: boolean): string {
  const entry = JSON.parse(jsonLine) as Record<string, unknown>;
  const level = String(entry.level);
  const time = new Date(entry.time as string).toTimeString().slice(0, 8);
  const millis = String(new Date(entry.time as string).getMilliseconds()).padStart(3, "0");
  const paint = (text: string, code: string) => (hasColour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const fields = Object.entries(entry)
    .filter(([name]) => !left.has(name))
    .map(([name, value]) => `${name}=${typeof value === "string" ? printable(value) : JSON.stringify(value)}`);
  const head = `${paint(`${time}.${millis}`, "90")} ${paint(level.padEnd(5), colours[level] ?? "0")} ${printable(String(entry.msg))}`;
  const tail = fields.length === 0 ? "" : `  ${paint(fields.join(" "), "90")}`;
  return `${head}${tail}\n${stackOf(entry.error)}`;
}

function stackOf(error: unknown): string {
  if (typeof error !== "object" || error === null)
    return error === undefined ? "" : `    ${printable(String(error))}\n`;
  const { stack, cause } = error as { stack?: unknown; cause?: unknown };
  const lines = typeof stack === "string" ? stack.split("\n") : [JSON.stringify(error)];
  const own = lines.map((line) => `    ${printable(line)}\n`).join("");
  return cause === undefined ? own : `${own}    caused by\n${stackOf(cause)}`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

const printable = (text: string) =>
  text.replace(control, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
