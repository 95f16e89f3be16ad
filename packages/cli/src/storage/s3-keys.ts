import type { AccessKeys } from "@mainstay/server";
import { Command } from "commander";
import { type Cli, CommandError } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, projectDir, withJson, withProject } from "../commands/options.ts";
import { withProjectDatabase } from "../commands/project-database.ts";
import { styleFor } from "../output/style.ts";

type Options = ProjectOptions & JsonOptions;

interface CreateOptions extends Options {
  readonly role?: string;
  readonly user?: string;
  readonly description?: string;
}

export function s3KeysCommand(cli: Cli): Command {
  const keys = new Command("s3-keys").description("List, make and revoke access keys of the S3 endpoint.");
  keys.addCommand(
    withJson(withProject(new Command("list").description("List access keys, without their secrets."))).action(
      (options: Options) => list(cli, options),
    ),
  );
  keys.addCommand(
    withJson(
      withProject(
        new Command("create")
          .description(
            "Make an access key. Without --role and --user it passes all policies. The secret is shown once.",
          )
          .option("--role <role>", "the database role that its requests run as")
          .option("--user <id>", "the user whose requests they are: policies decide as for that user")
          .option("--description <text>", "what it is for"),
      ),
    ).action((options: CreateOptions) => create(cli, options)),
  );
  keys.addCommand(
    withJson(
      withProject(
        new Command("revoke")
          .description("Revoke an access key: every server refuses it from then on.")
          .argument("<id>", "the access key id"),
      ),
    ).action((id: string, options: Options) => revoke(cli, id, options)),
  );
  return keys;
}

/** Opens the project's access keys for one command. */
async function withKeys<T>(cli: Cli, options: Options, work: (keys: AccessKeys) => Promise<T>): Promise<T> {
  const { openProjectS3Keys } = await import("@mainstay/server");
  return withProjectDatabase(cli, projectDir(cli, options), async (open, say) => {
    // Of an embedded database that nobody serves now, which may never have been started. Any other is not ours to change here.
    if (!open.isShared) await open.migrate();
    const { accessKeys, close } = await openProjectS3Keys(open, (observation) => {
      if (observation.kind === "warning") say(observation);
    });
    try {
      return await work(accessKeys);
    } finally {
      await close();
    }
  });
}

async function list(cli: Cli, options: Options): Promise<void> {
  const keys = await withKeys(cli, options, (accessKeys) => accessKeys.list());
  if (options.json) {
    cli.out.write(`${JSON.stringify({ keys }, null, 2)}\n`);
    return;
  }
  const style = styleFor(cli.out, cli.env);
  for (const { id, role, userId, description } of keys) {
    const whose = userId === null ? role : `${role} ${userId}`;
    cli.out.write(`${id}  ${whose}${description === "" ? "" : `  ${style.dim(description)}`}\n`);
  }
  cli.err.write(styleFor(cli.err, cli.env).dim(`${keys.length === 1 ? "1 key" : `${keys.length} keys`}\n`));
}

async function create(cli: Cli, { role, user, description, ...options }: CreateOptions): Promise<void> {
  const key = await withKeys(cli, options, (accessKeys) =>
    accessKeys.create({
      ...(role === undefined ? {} : { role }),
      ...(user === undefined ? {} : { userId: user }),
      ...(description === undefined ? {} : { description }),
    }),
  );
  if (options.json) {
    cli.out.write(`${JSON.stringify(key, null, 2)}\n`);
    return;
  }
  const style = styleFor(cli.out, cli.env);
  const row = (label: string, value: string) => cli.out.write(`${style.dim(label.padEnd(19))}${value}\n`);
  row("Access key id", key.id);
  row("Secret access key", key.secret);
  cli.err.write(styleFor(cli.err, cli.env).dim("The secret is not shown again.\n"));
}

async function revoke(cli: Cli, id: string, options: Options): Promise<void> {
  const isRevoked = await withKeys(cli, options, (accessKeys) => accessKeys.revoke(id));
  if (!isRevoked) {
    throw new CommandError(`There is no access key ${id}.`, { hint: "`mainstay storage s3-keys list` shows them." });
  }
  if (options.json) cli.out.write(`${JSON.stringify({ id, revoked: true })}\n`);
  else cli.out.write(`${styleFor(cli.out, cli.env).green("✓")} ${id} is revoked\n`);
}
