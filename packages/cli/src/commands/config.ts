import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { styleFor } from "../output/style.ts";
import { type JsonOptions, type ProjectOptions, projectDir, withJson, withProject } from "./options.ts";
import { projectConfig } from "./project-database.ts";

interface ShowOptions extends ProjectOptions, JsonOptions {
  readonly changed?: boolean;
}

export function command(cli: Cli): Command {
  const config = new Command("config").description("Show every setting, its value and where it comes from.");
  config.addCommand(
    withJson(
      withProject(
        new Command("show")
          .description(
            "Print every setting. Flags win over the environment, then .env.local, .env, mainstay.config.ts, supabase/config.toml, defaults.",
          )
          .option("--changed", "only those that are not at their default"),
      ),
    ).action((options: ShowOptions) => show(cli, options)),
  );
  return config;
}

interface ShownSetting {
  readonly group: string;
  readonly name: string;
  readonly value: unknown;
  readonly unit: string | null;
  readonly origin: string;
  /** The variable that sets it. */
  readonly env: string | null;
  readonly summary: string;
}

async function show(cli: Cli, options: ShowOptions): Promise<void> {
  const config = await projectConfig(cli, projectDir(cli, options));
  const { settingGroups } = await import("@mainstay/server/config");
  const settings = Object.entries(settingGroups).flatMap(([group, all]) =>
    Object.entries(all).map(([name, setting]): ShownSetting => {
      const value = (config as unknown as Record<string, Record<string, unknown>>)[group]?.[name];
      return {
        group,
        name,
        value: setting.isSecret && value !== null && value !== undefined ? "(secret)" : value,
        unit: "unit" in setting ? setting.unit : null,
        origin: (config.origins as Record<string, Readonly<Record<string, string>>>)[group]?.[name] ?? "default",
        env: setting.env[0] ?? null,
        summary: setting.summary,
      };
    }),
  );
  const shown = options.changed ? settings.filter(({ origin }) => origin !== "default") : settings;
  if (options.json) {
    cli.out.write(`${JSON.stringify(shown, null, 2)}\n`);
    return;
  }
  const style = styleFor(cli.out, cli.env);
  const width = Math.max(0, ...shown.map(({ name }) => name.length));
  let group = "";
  for (const setting of shown) {
    if (setting.group !== group) cli.out.write(`${group === "" ? "" : "\n"}${style.bold(setting.group)}\n`);
    group = setting.group;
    const value = `${text(setting.value)}${setting.unit && setting.value !== null ? ` ${setting.unit}` : ""}`;
    const origin = setting.origin === "default" ? style.dim(setting.env ?? "") : style.green(setting.origin);
    cli.out.write(`  ${setting.name.padEnd(width)}  ${value.padEnd(24)}  ${origin}\n`);
  }
}

function text(value: unknown): string {
  if (value === null || value === undefined) return "-";
  if (Array.isArray(value)) return value.join(",") || "(none)";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
