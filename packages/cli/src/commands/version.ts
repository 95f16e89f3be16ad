import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { bundledPostgres } from "../doctor/postgres-bundle.ts";
import { type JsonOptions, withJson } from "./options.ts";

export function command(cli: Cli): Command {
  return withJson(new Command("version").description("Print the versions of mainstay, Node and PostgreSQL.")).action(
    async (options: JsonOptions) => {
      const { default: manifest } = await import("../../package.json", { with: { type: "json" } });
      const versions = {
        mainstay: manifest.version,
        node: process.versions.node,
        postgres: bundledPostgres()?.version ?? null,
        platform: `${process.platform}-${process.arch}`,
      };
      if (options.json) cli.out.write(`${JSON.stringify(versions)}\n`);
      else {
        cli.out.write(`mainstay ${versions.mainstay}\nnode ${versions.node}\n`);
        cli.out.write(`postgres ${versions.postgres ?? "not bundled for this platform"}\n${versions.platform}\n`);
      }
    },
  );
}
