import { randomBytes } from "node:crypto";
import { Command } from "commander";
import { type Cli, CommandError } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, withJson, withProject } from "../commands/options.ts";
import { styleFor } from "../output/style.ts";
import { withAccounts } from "./with-accounts.ts";

interface CreateOptions extends ProjectOptions, JsonOptions {
  readonly phone?: string;
  readonly passwordEnv?: string;
  readonly password: boolean;
  readonly confirm: boolean;
}

export function createCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("create")
        .description("Make an account. Its password is made up and printed, unless one is given.")
        .argument("[email]", "its e-mail address")
        .option("--phone <number>", "its phone number")
        // As an argument it would be in the shell's history, and in every list of processes.
        .option("--password-env <name>", "the environment variable that has its password")
        .option("--no-password", "make no password: for sign-in by code or link")
        .option("--no-confirm", "the address must be confirmed by its owner"),
    ),
  ).action(async (email: string | undefined, options: CreateOptions) => {
    if (email === undefined && options.phone === undefined) {
      throw new CommandError("An account has an e-mail address or a phone number.", { exitCode: 2 });
    }
    const given = options.passwordEnv === undefined ? undefined : cli.env[options.passwordEnv];
    if (options.passwordEnv !== undefined && !given) {
      throw new CommandError(`The variable ${options.passwordEnv} is not set.`, { exitCode: 2 });
    }
    const password = options.password ? (given ?? randomBytes(15).toString("base64url")) : "";
    const user = await withAccounts(cli, options, (accounts) =>
      accounts.create({
        email: email ?? "",
        phone: options.phone ?? "",
        password,
        emailConfirm: options.confirm,
        phoneConfirm: options.confirm,
      }),
    );
    const isMadeUp = options.password && given === undefined;
    if (options.json) {
      const answer = { id: user.id, email: user.email, phone: user.phone, ...(isMadeUp ? { password } : {}) };
      cli.out.write(`${JSON.stringify(answer, null, 2)}\n`);
      return;
    }
    const style = styleFor(cli.out, cli.env);
    cli.out.write(`${style.green("✓")} ${user.email || user.phone}  ${style.dim(user.id)}\n`);
    if (isMadeUp) cli.out.write(`  Password ${password}\n`);
  });
}
