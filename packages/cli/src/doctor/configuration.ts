import type { Config } from "@mainstay/server";
import { type Check, fail, ok } from "./finding.ts";

/** Which files the configuration was read from, and what each of them sets. */
export const checkConfiguration: Check = ({ config }) => {
  if (config === null) return [];
  const { configFile, supabaseConfigFile } = config.project;
  const findings = [
    ok("config", `${configFile ?? "no config file"}: ${changed(config)} settings differ from their defaults`),
  ];
  if (supabaseConfigFile !== null) {
    const read = [
      ...settingsFrom(config, "supabase/config.toml"),
      ...config.buckets.map(({ id }) => `the bucket ${id}`),
    ];
    findings.push(
      ok(
        "supabase-config",
        `${supabaseConfigFile}: ${read.length > 0 ? read.join(", ") : "nothing in it applies here"}`,
      ),
    );
  }
  return findings;
};

export const unreadable = (message: string, hint: string | null) =>
  fail("config", message, hint ?? "Correct it, then run mainstay doctor again.");

function changed(config: Config): number {
  return Object.values(config.origins)
    .flatMap((group) => Object.values(group))
    .filter((origin) => origin !== "default").length;
}

function settingsFrom(config: Config, origin: string): string[] {
  return Object.entries(config.origins).flatMap(([group, names]) =>
    Object.entries(names)
      .filter(([, from]) => from === origin)
      .map(([name]) => `${group}.${name}`),
  );
}
