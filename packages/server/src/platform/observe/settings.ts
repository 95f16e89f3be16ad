import { type Settings, text } from "../../kernel/settings.ts";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "silent";

export const observeSettings = {
  logLevel: text<LogLevel>({
    env: ["MAINSTAY_LOG_LEVEL", "LOG_LEVEL", "GOTRUE_LOG_LEVEL"],
    default: "info",
    choices: ["trace", "debug", "info", "warn", "error", "silent"],
    summary: "Least serious log lines to write.",
  }),
  logFormat: text<"auto" | "json" | "human">({
    env: ["MAINSTAY_LOG_FORMAT", "LOG_FORMAT"],
    default: "auto",
    choices: ["auto", "json", "human"],
    summary: "One JSON object per line, or lines for people. `auto`: for people on a terminal, else JSON.",
  }),
  logRequests: text<"debug" | "info" | "off">({
    env: ["MAINSTAY_LOG_REQUESTS"],
    default: "debug",
    choices: ["debug", "info", "off"],
    summary: "Level at which every answered request is logged.",
  }),
} satisfies Settings;
