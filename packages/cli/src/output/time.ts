import { CommandError, exitCodes } from "../cli.ts";

const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** An option's time, in Unix ms: `2026-11-22T10:00:00Z`, or how long ago, `90m`. @throws CommandError */
export function timeOf(text: string): number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const time = unit === undefined ? Date.parse(text) : Date.now() - Number(count) * unitsMs[unit]!;
  if (Number.isNaN(time)) {
    throw new CommandError(`"${text}" is no time.`, {
      hint: "Write 2026-11-22T10:00:00Z, or how long ago: 90m, 2h, 3d.",
      exitCode: exitCodes.usage,
    });
  }
  return time;
}

/** How long something has taken or will take, in the two units that matter: `1h 5m`, `3.2s`, `12ms`. */
export function durationOf(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms * (ms < 10 ? 10 : 1)) / (ms < 10 ? 10 : 1)}ms`;
  if (ms < 60_000) return `${Math.round(ms / 100) / 10}s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes}m ${Math.floor((ms % 60_000) / 1_000)}s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h ${minutes % 60}m` : `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

/** A time as people of this machine read it: of today the hour alone. */
export function clockOf(iso: string, nowMs: number = Date.now()): string {
  const at = new Date(iso);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return at.toDateString() === new Date(nowMs).toDateString() ? time : `${day} ${time}`;
}
