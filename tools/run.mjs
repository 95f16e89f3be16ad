#!/usr/bin/env node
// Plain JavaScript on node: modules alone: this file runs before anything is installed, on whatever Node is on the path.
import { main } from "./launcher/main.mjs";

process.exitCode = await main(process.argv.slice(2));
