import type { OpenProjectDatabase } from "@mainstay/server";
import type { FunctionsExamination, WorkExamination } from "@mainstay/server/examine";
import { type Check, type Finding, fail, ok, warn } from "./finding.ts";

/** The app's own code: whether it builds, what it lacks, and whether its process can be held. */
export const checkFunctions: Check = async ({ config }) => {
  if (config === null) return [];
  const { examineFunctions } = await import("@mainstay/server/examine");
  const examined = await examineFunctions(config);
  return examined === null ? [] : functionFindings(examined);
};

export function functionFindings(examined: FunctionsExamination): readonly Finding[] {
  const { functions, diagnostics, missingSecrets, isConfined, isBounded } = examined;
  const broken = diagnostics.filter(({ severity }) => severity === "error");
  const findings: Finding[] = broken.map(({ file, line, message, hint }) =>
    fail(
      "functions",
      `${[file ?? "functions", line].filter((part) => part !== null).join(":")}: ${message}`,
      hint ?? "See: mainstay functions check",
    ),
  );
  if (broken.length === 0) {
    findings.push(
      ok("functions", `${functions.length === 1 ? "1 function builds" : `${functions.length} functions build`}`),
    );
  }
  for (const { name, functions: by } of missingSecrets) {
    findings.push(
      warn(
        "functions: secrets",
        `${by.join(", ")} ${by.length === 1 ? "asks" : "ask"} for ${name}, which is not given`,
        `Write ${name}=… into functions/.env, or set it in the environment and name it in MAINSTAY_FUNCTIONS_SECRETS.`,
      ),
    );
  }
  if (functions.length === 0) return findings;
  if (!isConfined) {
    findings.push(
      fail(
        "functions: process",
        `Node ${process.versions.node} has no --permission: functions cannot be run`,
        "Use Node 24, or 22.13 and newer.",
      ),
    );
  } else if (isBounded) findings.push(ok("functions: process", "confined, with a bound for its memory"));
  else {
    findings.push(
      warn(
        "functions: process",
        "confined, but nothing on this machine bounds its memory as a whole: each thread has its own bound only",
        "In production, run on Linux, in a container with a memory limit.",
      ),
    );
  }
  return findings;
}

/** What is to be done later and is not, of a database that is open. */
export async function workFindings(open: OpenProjectDatabase): Promise<readonly Finding[]> {
  const { examineWork } = await import("@mainstay/server/examine");
  return findingsOfWork(await examineWork(open));
}

const jobs = (count: number): string => (count === 1 ? "1 job" : `${count} jobs`);

export function findingsOfWork({ jobs: names, schedules, webhooks, gaps }: WorkExamination): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { name, dead, late, abandoned } of names) {
    if (dead > 0) {
      findings.push(
        warn(
          "jobs",
          `${jobs(dead)} of "${name}" failed for good`,
          `See why: mainstay jobs list --state dead --name "${name}"; run them again: mainstay jobs retry --dead --name "${name}"`,
        ),
      );
    }
    if (late > 0) {
      findings.push(
        warn(
          "jobs",
          `${jobs(late)} of "${name}" could have run for more than 5 minutes`,
          "No server has a function of this name, or those that have it have too much to do: see mainstay jobs queues.",
        ),
      );
    }
    if (abandoned > 0) {
      findings.push(
        warn(
          "jobs",
          `${jobs(abandoned)} of "${name}" began on a server that is gone`,
          "Start a server: it takes them over.",
        ),
      );
    }
  }
  if (names.length === 0) findings.push(ok("jobs", "none is dead or stuck"));
  for (const { owner, name, dueAt } of schedules) {
    const found = `"${name}" of ${owner} ${dueAt === null ? "was never planned" : `was due at ${dueAt} and has not run`}`;
    findings.push(
      warn("schedules", found, "Start a server: it runs what is due. If one runs, its log says what fails."),
    );
  }
  for (const { name, isEnabled, reason, failingSince } of webhooks) {
    findings.push(
      isEnabled
        ? warn(
            "webhooks",
            `"${name}" fails since ${failingSince}`,
            `See: mainstay webhooks deliveries --webhook "${name}"`,
          )
        : warn(
            "webhooks",
            `"${name}" is off: ${reason ?? "turned off"}`,
            "Turn it on: select mainstay.enable_webhook(name); send again what has failed: mainstay webhooks replay.",
          ),
    );
  }
  for (const { handler, count, reason } of gaps) {
    findings.push(
      warn(
        "functions: changes",
        `"${handler}" was not told of changes, ${count === 1 ? "once" : `${count} times`} within a day (${reason})`,
        "See mainstay.change_gaps: what stands there has to be made up for by hand.",
      ),
    );
  }
  return findings;
}
