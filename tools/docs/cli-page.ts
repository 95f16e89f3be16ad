import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { promisify } from "node:util";
import { generatedBy, page } from "./markdown.ts";

const run = promisify(execFile);

/** `cli.md`: what `--help` says, of every command. */
export async function cliPage(bin: string): Promise<string> {
  const help = await helpOf(bin, []);
  const sections: string[] = [];
  for (const name of commandsIn(help)) sections.push(...(await commandSections(bin, [name])));
  return page(
    generatedBy("`mainstay --help`"),
    "# Command line",
    "In a clone of the repository: `npx mainstay <command>`, with Node 22.18 or newer. Results go to standard output, everything else to standard error; colours only to a terminal, and not with `NO_COLOR`.",
    fenced(help),
    ...sections,
  );
}

async function commandSections(bin: string, names: readonly string[]): Promise<string[]> {
  const help = await helpOf(bin, names);
  const sections = [`${"#".repeat(names.length + 1)} \`mainstay ${names.join(" ")}\``, fenced(help)];
  for (const name of commandsIn(help)) sections.push(...(await commandSections(bin, [...names, name])));
  return sections;
}

/** Without colours or a terminal's width, and with no project around: the same on every machine. */
async function helpOf(bin: string, names: readonly string[]): Promise<string> {
  const { PATH, HOME } = process.env;
  const { stdout } = await run(process.execPath, [bin, ...names, "--help"], { cwd: tmpdir(), env: { PATH, HOME } });
  return stdout.trimEnd();
}

/** Names below `Commands:`. */
function commandsIn(help: string): readonly string[] {
  const [, list = ""] = /^Commands:\n((?: {2}.*\n?)*)/m.exec(help) ?? [];
  return [...list.matchAll(/^ {2}([a-z][\w-]*)/gm)].map(([, name = ""]) => name).filter((name) => name !== "help");
}

const fenced = (text: string): string => `\`\`\`text\n${text}\n\`\`\``;
