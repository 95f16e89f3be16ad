import type { Message } from "esbuild";
import type { Diagnostic } from "../types.ts";

/** A package that an import asks for and that is not installed. */
export interface MissingPackage {
  readonly name: string;
  readonly range: string | null;
  /** Of jsr.io: npm finds it by another command. */
  readonly isJsr: boolean;
}

/** What our own part of the bundler hands over with a message, to be read again here. */
export interface MessageDetail {
  readonly missing?: MissingPackage;
}

/** Turns what the bundler says into what an author reads. */
export function diagnosticOf(message: Message, severity: Diagnostic["severity"], functionName: string): Diagnostic {
  const { location } = message;
  const notes = [
    ...message.notes.map(({ text }) => text),
    location?.suggestion ? `Did you mean ${location.suggestion}?` : "",
  ];
  return {
    severity,
    functionName,
    file: location?.file ?? null,
    line: location?.line ?? null,
    column: location === null ? null : columnOf(location.lineText, location.column),
    message: message.text,
    hint: notes.filter((text) => text !== "").join(" ") || null,
    source: location?.lineText ?? null,
  };
}

/** The bundler counts bytes from 0, people characters from 1. */
const columnOf = (line: string, bytes: number): number =>
  Buffer.from(line, "utf8").subarray(0, bytes).toString("utf8").length + 1;

export const missingOf = (message: Message): MissingPackage | null =>
  (message.detail as MessageDetail | undefined)?.missing ?? null;

/** The command that installs all of them at once: `npm install stripe@14 zod`. Those of jsr.io have one of their own. */
export function installCommand(missing: readonly MissingPackage[]): string {
  const line = (command: string, packages: readonly MissingPackage[]): readonly string[] => {
    const specs = new Map(packages.map(({ name, range }) => [name, range === null ? name : `${name}@${range}`]));
    return specs.size === 0 ? [] : [`${command} ${[...specs.values()].sort().map(quoted).join(" ")}`];
  };
  return [
    ...line(
      "npm install",
      missing.filter(({ isJsr }) => !isJsr),
    ),
    ...line(
      "npx jsr add",
      missing.filter(({ isJsr }) => isJsr),
    ),
  ].join(" && ");
}

/** For any shell: what is not plain stands in quotes, and what would end them is left out. */
const quoted = (spec: string): string => (/^[\w@./~-]+$/.test(spec) ? spec : `"${spec.replace(/["'`$\\!]/g, "")}"`);
