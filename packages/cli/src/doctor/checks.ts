import { checkConfiguration } from "./configuration.ts";
import { checkDatabase, checkExternal } from "./database.ts";
import { checkFiles } from "./files.ts";
import type { Check } from "./finding.ts";
import { checkDataVersion, checkDisk, checkFolder, checkProject } from "./folders.ts";
import { checkFunctions } from "./functions.ts";
import { checkHooks } from "./hooks.ts";
import { checkLint } from "./lint.ts";
import { checkMail } from "./mail.ts";
import { checkTextMessages } from "./messages.ts";
import { checkConnections, checkLeftovers, checkPort } from "./network.ts";
import { checkInbox, checkProtection } from "./protection.ts";
import { checkProviders } from "./providers.ts";
import { checkBinaries, checkNode, checkNpm } from "./runtime.ts";
import { checkGit, checkSecrets, checkSharedKeys } from "./secrets.ts";
import { checkAddresses, checkConfirmation, checkPasskeys, checkSignIn } from "./sign-in.ts";

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
  ["keys", checkSharedKeys],
  ["git", checkGit],
  ["port", checkPort],
  ["connections", checkConnections],
  ["external", checkExternal],
  ["database", checkDatabase],
  ["lint", checkLint],
  ["sign-in", checkSignIn],
  ["redirects", checkAddresses],
  ["confirmation", checkConfirmation],
  ["mail", checkMail],
  ["text-messages", checkTextMessages],
  ["providers", checkProviders],
  ["passkeys", checkPasskeys],
  ["protection", checkProtection],
  ["inbox", checkInbox],
  ["hooks", checkHooks],
  ["files", checkFiles],
  ["functions", checkFunctions],
];
