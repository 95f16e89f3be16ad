import type { Stream } from "../cli.ts";
import type { Style } from "./style.ts";

/** One task after another, each a line: live on a terminal, and only its end where there is none. */
export interface Progress {
  /** Says what is going on now. A count shows how far; the same text again only moves it. */
  update(text: string, done?: number, total?: number): void;
  /** Ends the current task with what came of it. */
  done(text: string): void;
  /** A line that stays, whatever is going on. */
  note(text: string): void;
  warn(text: string): void;
  /** Wipes an unfinished line. */
  clear(): void;
}

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const frameMs = 80;

export function createProgress(out: Stream, style: Style): Progress {
  const isLive = out.isTTY === true;
  let current: string | null = null;
  let frame = 0;
  let timer: NodeJS.Timeout | null = null;

  const draw = () => {
    if (current === null) return;
    const width = Math.max(20, (out.columns ?? 80) - 1);
    out.write(`\r\x1b[K${style.cyan(frames[frame % frames.length] ?? "")} ${current.slice(0, width - 2)}`);
  };
  const stop = () => {
    if (timer !== null) clearInterval(timer);
    timer = null;
    if (isLive && current !== null) out.write("\r\x1b[K");
    current = null;
  };
  const line = (text: string) => {
    if (isLive && current !== null) out.write("\r\x1b[K");
    out.write(`${text}\n`);
    if (isLive) draw();
  };

  return {
    update(text, done, total) {
      current = done === undefined ? text : `${text} ${counted(done, total)}`;
      if (!isLive) return;
      draw();
      timer ??= setInterval(() => {
        frame += 1;
        draw();
      }, frameMs).unref();
    },
    done(text) {
      stop();
      out.write(`${style.green("✓")} ${text}\n`);
    },
    note: line,
    warn: (text) => line(`${style.yellow("!")} ${text}`),
    clear: stop,
  };
}

function counted(done: number, total: number | undefined): string {
  if (total === undefined || total === 0) return done.toLocaleString("en");
  return `${done.toLocaleString("en")} of ${total.toLocaleString("en")} (${Math.floor((done / total) * 100)} %)`;
}
