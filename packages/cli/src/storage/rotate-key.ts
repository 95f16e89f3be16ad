import { Command } from "commander";
import { type Cli, CommandError, exitCodes } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, withJson, withProject } from "../commands/options.ts";
import { createProgress } from "../output/progress.ts";
import { styleFor } from "../output/style.ts";
import { withFiles } from "./with-files.ts";

export function rotateKeyCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("rotate-key").description(
        "Encrypt the keys of all files by the server's present key: then the former ones may go. No bytes of files move.",
      ),
    ),
  ).action((options: ProjectOptions & JsonOptions) => run(cli, options));
}

async function run(cli: Cli, options: ProjectOptions & JsonOptions): Promise<void> {
  const style = styleFor(cli.err, cli.env);
  const progress = createProgress(cli.err, style);
  const rotated = await withFiles(cli, options, async (tools, signal) => {
    const onProgress = (done: number) => progress.update("Encrypting keys anew", done);
    return tools.rotateKeys({ signal, onProgress }).finally(() => progress.clear());
  });
  if (rotated === null) {
    throw new CommandError("Files are not encrypted.", {
      hint: "Set MAINSTAY_STORAGE_ENCRYPTION_KEY to encrypt new ones.",
    });
  }
  const { rewrapped, failed } = rotated;
  if (options.json) cli.out.write(`${JSON.stringify(rotated)}\n`);
  else cli.out.write(`${rewrapped.toLocaleString("en")} keys are encrypted by the present key now.\n`);
  for (const [keyId, count] of Object.entries(failed)) {
    cli.err.write(
      `${style.red("✗")} ${count.toLocaleString("en")} need the key ${keyId}, which is not set, or are damaged.\n`,
    );
  }
  if (Object.keys(failed).length > 0) process.exitCode = exitCodes.failed;
}
