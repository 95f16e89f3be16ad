import { Command, CommanderError } from "commander";
import { type Cli, exitCodes } from "./cli.ts";
import { commands } from "./commands/index.ts";
import { printFailure } from "./output/failure.ts";

/** Runs one command line in this process's world, and gives its exit code. */
export function main(argv: readonly string[]): Promise<number> {
  endQuietlyOnClosedPipe();
  return run(argv, processCli(argv));
}

/**
 * Runs one command line and gives its exit code; what the command leaves in `process.exitCode` counts. Only the command that is asked for is loaded:
 * the others are known by name and sentence, which is all that `--help` needs.
 */
export async function run(argv: readonly string[], cli: Cli): Promise<number> {
  try {
    const program = await programFor(argv, cli);
    if (argv.length === 0) {
      program.outputHelp();
      return exitCodes.ok;
    }
    let exitCode: number = exitCodes.ok;
    process.exitCode = undefined;
    await program.parseAsync([...argv], { from: "user" });
    if (typeof process.exitCode === "number") exitCode = process.exitCode;
    return exitCode;
  } catch (error) {
    // commander has printed help, the version or what was wrong with the call before it throws.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    return printFailure(error, cli);
  }
}

/** `mainstay config show | head`: the reader has seen enough, which is no failure of ours. */
function endQuietlyOnClosedPipe(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(exitCodes.ok);
  });
}

function processCli(argv: readonly string[]): Cli {
  return {
    env: process.env,
    cwd: process.cwd(),
    out: process.stdout,
    err: process.stderr,
    isDebug: argv.includes("--debug"),
    isInteractive: process.stdin.isTTY === true && process.stdout.isTTY === true && !process.env.CI,
  };
}

async function programFor(argv: readonly string[], cli: Cli): Promise<Command> {
  const wanted = argv.find((arg) => !arg.startsWith("-"));
  // `mainstay help dev` asks about dev; no command needs another one's code.
  const name = wanted === "help" ? argv[argv.indexOf("help") + 1] : wanted;
  const program = configure(
    new Command("mainstay")
      .description("Everything behind a mobile app, in one process that your team owns.")
      .usage("<command> [options]")
      .version(await version(), "-V, --version", "print the version")
      .addHelpText("after", `\n${exitCodeHelp}`),
    cli,
  );
  for (const { name: command, summary, load } of commands) {
    if (command === name) program.addCommand(configureAll((await load()).command(cli), cli));
    else program.addCommand(new Command(command).description(summary).allowUnknownOption());
  }
  return program;
}

const exitCodeHelp = `Exit codes: 0 ok, 1 failed, 2 called wrongly, 3 a setting or the project is not usable, 4 port or folder in use, 130 interrupted.`;

/** The same manners for every command: no surprise exits, `--help` and `--debug` everywhere, help after a wrong call. */
function configure(command: Command, { out, err }: Cli): Command {
  return command
    .exitOverride()
    .configureOutput({ writeOut: (text) => out.write(text), writeErr: (text) => err.write(text) })
    .helpOption("-h, --help", "show this help")
    .showHelpAfterError("(--help shows how it is called)")
    .showSuggestionAfterError()
    .configureHelp({ sortOptions: false, helpWidth: 100, subcommandTerm: (sub) => sub.name() })
    .option("--debug", "show where a failure came from");
}

function configureAll(command: Command, cli: Cli): Command {
  configure(command, cli);
  for (const sub of command.commands) configureAll(sub, cli);
  return command;
}

async function version(): Promise<string> {
  const { default: manifest } = await import("../package.json", { with: { type: "json" } });
  return manifest.version;
}
