import type { Observation } from "@mainstay/server";
import { showDiagnostic } from "../functions/show.ts";
import { showLog } from "../functions/show-log.ts";
import { describeFailure } from "../output/failure.ts";
import type { Progress } from "../output/progress.ts";
import { type Style, styleFor } from "../output/style.ts";

/** Turns what the server observes of its own start into lines for a person. */
export interface StartReport {
  observe(observation: Observation): void;
  seedProgress(text: string, done: number, total: number): void;
  /** The start is over: from now on only what calls for attention is said. */
  end(): void;
}

export function reportStart(progress: Progress, style: Style = plain): StartReport {
  let migrationCount = 0;
  let isOver = false;
  const endMigrations = () => {
    if (migrationCount > 0)
      progress.done(`${migrationCount} ${migrationCount === 1 ? "migration" : "migrations"} applied`);
    migrationCount = 0;
  };
  return {
    observe(observation) {
      if (isOver && !lasting.has(observation.kind)) return;
      switch (observation.kind) {
        case "postgres.starting":
          return progress.update(`Starting PostgreSQL: ${observation.detail}`);
        case "postgres.recovering":
          return progress.update(
            `PostgreSQL is recovering (${Math.round(observation.elapsedMs / 1000)} s): ${observation.detail}`,
          );
        case "postgres.ready":
          return progress.done(`PostgreSQL ${observation.version}`);
        case "migration.applied":
          migrationCount += 1;
          return progress.update(`Applying migrations: ${observation.version} ${observation.name}`, migrationCount);
        case "migration.history-differs":
          return progress.warn(`Migration ${observation.version}: ${observation.detail}`);
        case "seed.finished":
          endMigrations();
          return progress.done(`Seeded in ${seconds(observation.durationMs)}`);
        case "seed.failed": {
          endMigrations();
          const { message, hint } = describeFailure(observation.error);
          return progress.warn(
            `The seed failed, and the server goes on without it: ${message}${hint ? `\n  ${hint}` : ""}`,
          );
        }
        case "catalog.loaded":
          endMigrations();
          return progress.update("Opening the API");
        case "catalog.failed":
          return progress.warn(`The schema could not be read: ${describeFailure(observation.error).message}`);
        case "functions.built":
          return progress.done(functionsLine(observation));
        case "functions.diagnostic":
          return progress.note(showDiagnostic(observation, style));
        case "functions.log":
          return observation.level === "debug" ? undefined : progress.note(functionLog(observation, style));
        case "warning":
          return progress.warn(`${observation.area}: ${observation.message}`);
        default:
          return;
      }
    },
    end() {
      isOver = true;
      progress.clear();
    },
    seedProgress(text, done, total) {
      endMigrations();
      progress.update(`Seeding: ${text}`, done, total);
    },
  };
}

/** Of interest after the start too. */
const lasting: ReadonlySet<Observation["kind"]> = new Set([
  "postgres.recovering",
  "migration.history-differs",
  "catalog.failed",
  "functions.built",
  "functions.diagnostic",
  "functions.log",
  "warning",
]);

const plain = styleFor({ write: () => {} }, {});

/** What runs now; of what was changed and does not, its own lines say why. */
function functionsLine({ functions, changed, durationMs }: Extract<Observation, { kind: "functions.built" }>): string {
  const runs = changed.filter((name) => functions.includes(name));
  const gone = changed.filter((name) => !functions.includes(name));
  const parts = [
    ...(runs.length > 0 ? [`Functions: ${runs.join(", ")}`] : []),
    ...(gone.length > 0 ? [`no longer served: ${gone.join(", ")}`] : []),
  ].join("; ");
  return `${parts.replace(/^no/, "No")} in ${seconds(durationMs)}`;
}

const seconds = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

/** As `mainstay functions logs` shows it. */
const functionLog = (
  { id, functionName, level, message, fields }: Extract<Observation, { kind: "functions.log" }>,
  style: Style,
): string => {
  const hasFields = Object.keys(fields).length > 0;
  const line = { functionName, level, message, fields: hasFields ? fields : null, invocationId: id, requestId: id };
  return showLog({ id: 0, at: new Date().toISOString(), isEnd: false, status: null, durationMs: null, ...line }, style);
};
