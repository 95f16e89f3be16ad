import type { Log } from "@mainstay/functions";
import type { LogLine } from "../../types.ts";
import type { Wire } from "../wire.ts";

export function createLog(wire: Wire): Log {
  const at = (level: LogLine["level"]) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
    wire.log(level, String(message), fields);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
