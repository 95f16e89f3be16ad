import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { freePort } from "@mainstay/testing";
import { expect, it } from "vitest";

it.each([
  ["demo.ts", ": run `npm start` in another terminal, then this again."],
  ["live.ts", "."],
])("%s says in one line when no server runs where it is told to look", async (file, advice) => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const command = spawn(process.execPath, [join(import.meta.dirname, file), "--url", url, "--key", "any"]);
  const [said, told] = [text(command.stderr), text(command.stdout)];
  const [code] = await once(command, "close");
  expect({ code, said: await said, told: await told }).toEqual({
    code: 1,
    said: `No server answers at ${url}${advice}\n`,
    told: "",
  });
});
