import { checkConfiguration } from "./configuration.ts";
import { checkDatabase, checkExternal } from "./database.ts";
import type { Check } from "./finding.ts";
import { checkDataVersion, checkDisk, checkFolder, checkProject } from "./folders.ts";
import { checkLint } from "./lint.ts";
import { checkLeftovers, checkPort } from "./network.ts";
import { checkBinaries, checkNode, checkNpm } from "./runtime.ts";
import { checkGit, checkSecrets } from "./secrets.ts";

/** Everything that is checked, from the ground up: what comes later rests on what comes first. */
export const checks: readonly (readonly [name: string, check: Check])[] = [
  ["node", checkNode],
  ["npm", checkNpm],
  ["project", checkProject],
  ["config", checkConfiguration],
  ["disk", checkDisk],
  ["folder", checkFolder],
  ["postgres", checkBinaries],
  ["data", checkDataVersion],
  ["leftovers", checkLeftovers],
  ["secrets", checkSecrets],
  ["git", checkGit],
  ["port", checkPort],
  ["external", checkExternal],
  ["database", checkDatabase],
  ["lint", checkLint],
];
