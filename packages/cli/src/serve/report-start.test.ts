import { expect, test } from "vitest";
import { createProgress } from "../output/progress.ts";
import { styleFor } from "../output/style.ts";
import { reportStart } from "./report-start.ts";

test("what functions log is shown while one works on them, debug lines aside, and moves no cursor", () => {
  const lines: string[] = [];
  const out = { write: (text: string) => void lines.push(text) };
  const style = styleFor(out, {});
  const report = reportStart(createProgress(out, style), style);
  report.end();
  const line = { kind: "functions.log", id: "r-1", functionName: "hello", level: "info", fields: {} } as const;
  report.observe({ ...line, message: "here I am" });
  report.observe({ ...line, level: "debug", message: "unseen" });
  report.observe({ ...line, level: "warn", message: "first\nsecond\u001b[2J", fields: { name: "Ada" } });
  expect(lines.map((text) => text.replace(/^\d\d:\d\d:\d\d\.\d{3}/, "<time>"))).toEqual([
    "<time>  info   hello  here I am\n",
    '<time>  warn   hello  first\n    second [2J  {"name":"Ada"}\n',
  ]);
});
