import { join } from "node:path";
import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { CommandError } from "../cli.ts";
import { styleFor } from "../output/style.ts";
import { readRunRecord } from "../serve/run-record.ts";
import { type JsonOptions, type ProjectOptions, projectDir, withJson, withProject } from "./options.ts";
import { projectConfig, withProjectDatabase } from "./project-database.ts";

type Options = ProjectOptions & JsonOptions;

interface RotateOptions extends Options {
  readonly revoke?: boolean;
  readonly apiKeys?: boolean;
  readonly yes?: boolean;
}

export function command(cli: Cli): Command {
  const keys = new Command("keys").description("Show or rotate the project's API keys.");
  keys.addCommand(
    withJson(
      withProject(
        new Command("show").description(
          "Print the URL and every key. The service key and the secret key pass all policies.",
        ),
      ),
    ).action((options: Options) => show(cli, options)),
  );
  keys.addCommand(
    withJson(
      withProject(
        new Command("rotate")
          .description("Sign new tokens with a new key. What the old one signed stays good until it expires.")
          .option("--revoke", "the old signing key is refused at once: for one that leaked")
          .option("--api-keys", "replace the API keys too: apps with the old ones are refused")
          .option("-y, --yes", "ask nothing"),
      ),
    ).action((options: RotateOptions) => rotate(cli, options)),
  );
  return keys;
}

async function show(cli: Cli, options: Options): Promise<void> {
  const { identity, url, s3Endpoint } = await open(cli, options);
  const { anonKey, serviceRoleKey, publishableKey, secretKey, jwtSecret } = identity.keys;
  identity.close();
  if (options.json) {
    const answer = {
      url,
      anonKey,
      serviceRoleKey,
      publishableKey,
      secretKey,
      ...(s3Endpoint === null ? {} : { s3Endpoint }),
      ...(jwtSecret === null ? {} : { jwtSecret }),
    };
    cli.out.write(`${JSON.stringify(answer, null, 2)}\n`);
    return;
  }
  const style = styleFor(cli.out, cli.env);
  const row = (label: string, value: string) => cli.out.write(`${style.dim(label.padEnd(18))}${value}\n`);
  row("URL", url);
  row("Publishable key", publishableKey);
  row("Anon key", anonKey);
  row("Secret key", secretKey);
  row("Service role key", serviceRoleKey);
  if (jwtSecret !== null) row("JWT secret", jwtSecret);
  if (s3Endpoint !== null) row("S3 endpoint", `${s3Endpoint} ${style.dim("(keys: mainstay storage s3-keys create)")}`);
  cli.err.write(
    styleFor(cli.err, cli.env).dim(
      `${jwtSecret === null ? "Secret and service role key" : "Secret key, service role key and JWT secret"} pass every policy. Keep them on servers.\n`,
    ),
  );
}

async function rotate(cli: Cli, options: RotateOptions): Promise<void> {
  if (options.apiKeys && !options.yes && !(await isConfirmed(cli))) return;
  const { identity, isShared } = await open(cli, options);
  const rotation = { revoke: options.revoke === true, apiKeys: options.apiKeys === true };
  try {
    if (isShared) {
      await withProjectDatabase(cli, projectDir(cli, options), async ({ database }) => {
        await identity.share({ database });
        await identity.rotate(rotation);
      });
    } else await identity.rotate(rotation);
  } finally {
    identity.close();
  }
  const what = options.apiKeys ? "New signing key and new API keys" : "New signing key";
  if (options.json) cli.out.write(`${JSON.stringify({ rotated: true, apiKeys: options.apiKeys === true })}\n`);
  else cli.out.write(`${what}. Running servers take them over by themselves; \`mainstay keys show\` prints them.\n`);
}

async function isConfirmed(cli: Cli): Promise<boolean> {
  if (!cli.isInteractive) {
    throw new CommandError("Replacing the API keys locks out every app that carries the old ones.", {
      hint: "Say --yes if that is what you want.",
    });
  }
  const { confirm, isCancel } = await import("@clack/prompts");
  const answer = await confirm({
    message: "Every app with the old API keys is refused from now on. Replace them?",
    initialValue: false,
  });
  return !isCancel(answer) && answer;
}

/** The keys, and where the project is served: by the process that runs, or else by the settings. */
async function open(cli: Cli, options: Options) {
  const dir = projectDir(cli, options);
  const config = await projectConfig(cli, dir);
  const { localUrl } = await import("@mainstay/server/config");
  const { openIdentity } = await import("@mainstay/server/identity");
  const identity = await openIdentity({
    keysDir: join(config.project.dataDir, "keys"),
    settings: { ...config.identity, keyPollMs: 0 },
    observe: (observation) => {
      if (observation.kind === "warning") cli.err.write(`! ${observation.message}\n`);
    },
    clock: { nowMs: () => Date.now() },
  });
  const { host, port } = config.http;
  // With a master key the database has the keys, and all nodes follow it.
  const isShared = config.identity.masterKey !== null;
  const url = readRunRecord(config.project.dataDir)?.url ?? localUrl(host, port);
  const { storageEnabled, storageS3Enabled } = config.storage;
  return { identity, isShared, url, s3Endpoint: storageEnabled && storageS3Enabled ? `${url}/storage/v1/s3` : null };
}
