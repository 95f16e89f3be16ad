import { plainOf, textOf } from "./values.ts";

/** Widest field and longest fraction: a template must not make megabytes out of a number. */
const widthMax = 200;
const precisionMax = 50;

const verb = /%(?:%|([-+# 0]*)(\d+)?(?:\.(\d+))?([a-zA-Z]))/g;

/** Go's `fmt.Sprintf`, as far as mails go: `%s %v %q %d %x %X %o %b %c %t %f %e %g %%` with width, precision, `-`, `0`, `+`. */
export function printf(format: string, args: readonly unknown[]): string {
  let next = 0;
  return format.replace(verb, (all, flags = "", width = "", precision?: string, letter = "") => {
    if (all === "%%") return "%";
    if (next >= args.length) return `%!${letter}(MISSING)`;
    const text = one(
      letter,
      args[next++],
      flags,
      precision === undefined ? null : Math.min(Number(precision), precisionMax),
    );
    const size = Math.min(Number(width), widthMax);
    if (flags.includes("-")) return text.padEnd(size);
    const isNumber = "dxXobfeg".includes(letter);
    if (!flags.includes("0") || !isNumber) return text.padStart(size);
    const sign = /^[+-]/.exec(text)?.[0] ?? "";
    return sign + text.slice(sign.length).padStart(size - sign.length, "0");
  });
}

function one(letter: string, value: unknown, flags: string, precision: number | null): string {
  const plain = plainOf(value);
  switch (letter) {
    case "s":
    case "v":
      return precision === null ? textOf(plain) : [...textOf(plain)].slice(0, precision).join("");
    case "q":
      return JSON.stringify(textOf(plain));
    case "t":
      return typeof plain === "boolean" ? String(plain) : bad(letter, plain);
    case "x":
    case "X": {
      const digits =
        typeof plain === "number" ? Math.trunc(plain).toString(16) : Buffer.from(textOf(plain)).toString("hex");
      return letter === "x" ? digits : digits.toUpperCase();
    }
  }
  if (typeof plain !== "number") return bad(letter, plain);
  const sign = flags.includes("+") && plain >= 0 ? "+" : "";
  switch (letter) {
    case "d":
      return sign + String(Math.trunc(plain));
    case "o":
      return sign + Math.trunc(plain).toString(8);
    case "b":
      return sign + Math.trunc(plain).toString(2);
    case "c":
      return plain >= 0 && plain <= 0x10ffff ? String.fromCodePoint(Math.trunc(plain)) : "\ufffd";
    case "f":
    case "F":
      return sign + plain.toFixed(precision ?? 6);
    case "e":
    case "g":
      return sign + (letter === "g" && precision === null ? String(plain) : plain.toExponential(precision ?? 6));
    default:
      return bad(letter, plain);
  }
}

const bad = (letter: string, value: unknown): string => `%!${letter}(${textOf(value)})`;
