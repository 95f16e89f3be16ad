import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readSettings } from "../../../kernel/settings.ts";
import type { Observation } from "../../../platform/observe/observation.ts";
import type { AuthSettings } from "../context.ts";
import { authSettings } from "../settings.ts";
import { openMailTemplates } from "./open-templates.ts";

const settings: AuthSettings = readSettings(authSettings, { env: {} }).values;
const seen: Observation[] = [];
let dir: string;

beforeEach(async () => {
  seen.length = 0;
  dir = await mkdtemp(join(tmpdir(), "templates-"));
  await mkdir(join(dir, "templates"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const open = (given: Partial<AuthSettings> = {}, followsFiles = true) =>
  openMailTemplates({
    settings: { ...settings, ...given },
    places: { projectDir: dir, templatesDir: join(dir, "templates") },
    observe: (observation) => seen.push(observation),
    followsFiles,
  });
const write = (name: string, text: string) => writeFile(join(dir, "templates", name), text);
const data = { Token: "123456" };

it("an edited template counts from the next mail on", async () => {
  await write("recovery.html", "one {{ .Token }}");
  const [followed, kept] = [await open(), await open({}, false)];
  await write("recovery.html", "two, {{ .Token }}");
  await write("recovery.txt", "text {{ .Token }}");
  expect(followed.recovery.html.render(data)).toBe("two, 123456");
  expect(followed.recovery.text?.render(data)).toBe("text 123456");
  expect(kept.recovery.html.render(data)).toBe("one 123456");
  expect(kept.recovery.text).toBeNull();
});

it("one that comes and one that goes, too", async () => {
  const templates = await open();
  const ours = templates.invite;
  await write("invite.html", "come in");
  expect(templates.invite.html.render(data)).toBe("come in");
  await rm(join(dir, "templates", "invite.html"));
  expect(templates.invite.html.render(data)).toBe(ours.html.render(data));
  expect(seen).toEqual([]);
});

it("a broken one leaves the last good one, and is told once, with file, line and column", async () => {
  await write("recovery.html", "good");
  const templates = await open();
  await write("recovery.html", "<p>\n  {{ if }}</p>");
  for (let mail = 0; mail < 3; mail++) expect(templates.recovery.html.render(data)).toBe("good");
  expect(seen).toEqual([
    {
      kind: "warning",
      area: "mail",
      message: expect.stringMatching(/recovery\.html:2:\d+: .*Mails are written as before\.$/),
    },
  ]);
  await write("recovery.html", "good again");
  await write("recovery.txt", "{{ nope }}");
  expect(templates.recovery.html.render(data)).toBe("good");
  expect(seen.at(-1)).toMatchObject({ message: expect.stringMatching(/recovery\.txt:1:\d+: /) });
  await write("recovery.txt", "fine");
  expect(templates.recovery.html.render(data)).toBe("good again");
  expect(seen).toHaveLength(2);
});

it("a file that a setting names may be away for a while", async () => {
  await write("own.html", "mine");
  const templates = await open({ mailTemplateInvite: "templates/own.html" });
  await rm(join(dir, "templates", "own.html"));
  expect(templates.invite.html.render(data)).toBe("mine");
  expect(templates.invite.html.render(data)).toBe("mine");
  expect(seen).toEqual([expect.objectContaining({ message: expect.stringContaining("own.html is not there") })]);
  await write("own.html", "mine, anew");
  expect(templates.invite.html.render(data)).toBe("mine, anew");
});
