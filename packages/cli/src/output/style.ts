import type { Stream } from "../cli.ts";

const codes = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

export type Style = Readonly<Record<keyof typeof codes, (text: string) => string>>;

/**
 * Colours for one stream, or none: a terminal has them unless `NO_COLOR` (no-color.org: present and not empty) or a dumb
 * terminal says otherwise; `FORCE_COLOR` turns them on where there is no terminal (CI logs).
 */
export function styleFor(stream: Stream, env: Readonly<Record<string, string | undefined>>): Style {
  const isForced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "0";
  const isOn = !env.NO_COLOR && env.TERM !== "dumb" && (stream.isTTY === true || isForced);
  const style = Object.entries(codes).map(([name, [open, close]]) => [
    name,
    (text: string) => (isOn ? `\x1b[${open}m${text}\x1b[${close}m` : text),
  ]);
  return Object.fromEntries(style) as Style;
}
