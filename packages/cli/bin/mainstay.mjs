#!/usr/bin/env node
// Plain JavaScript: an old Node must get as far as being told that it is old.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `mainstay needs Node 22.18 or newer, and this is ${process.versions.node}: install Node 24 from https://nodejs.org.\n`,
  );
  process.exit(1);
}

// Compiled code is kept between runs: it takes a good part of the start otherwise. In the user's own cache folder, since
// whoever may write there may run code as this user. Where it cannot be written Node goes on without.
const { enableCompileCache } = await import("node:module");
const { homedir } = await import("node:os");
const { join } = await import("node:path");
if (!process.env.NODE_COMPILE_CACHE && !process.env.NODE_DISABLE_COMPILE_CACHE) {
  enableCompileCache(join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "mainstay", "compiled"));
}

const { existsSync } = await import("node:fs");
// The published package carries JavaScript; the repository runs its TypeScript as it is, or a bundle made of what it is now.
const built = new URL("../dist/main.js", import.meta.url);
const { main } = await import(existsSync(built) ? built.href : await repository());
process.exitCode = await main(process.argv.slice(2));

async function repository() {
  const { bundleEntry, isBundled } = await import("./bundle.mjs");
  const { pathToFileURL } = await import("node:url");
  if (!isBundled()) return "../src/main.ts";
  // Stacks then name sources.
  if (process.argv.includes("--debug")) process.setSourceMapsEnabled(true);
  return pathToFileURL(bundleEntry).href;
}
