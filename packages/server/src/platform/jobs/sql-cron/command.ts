import type pg from "pg";

/** What pg_cron writes down of a run. */
export interface CommandResult {
  readonly status: "succeeded" | "failed";
  /** `1 row` of what gives rows, or the command tag (`DELETE 5`), of the last statement; or the error. */
  readonly message: string;
}

/** The part of pg's connection that is used here. */
interface Wire {
  query(text: string): void;
  sendCopyFail(reason: string): void;
}

/** Characters of a message that are kept. */
const messageMaxLength = 10_000;

/**
 * Runs all statements of a command as one message, as pg_cron does: PostgreSQL takes several as one transaction unless they say otherwise.
 * Rows are counted and not kept, however many there are. Never rejects.
 */
export function runCommand(client: pg.Client, command: string): Promise<CommandResult> {
  return new Promise((resolve) => {
    let rowCount: number | null = null;
    let message = "";
    let failure: string | null = null;
    const query = {
      submit(wire: unknown) {
        (wire as Wire).query(command);
      },
      handleRowDescription() {
        rowCount = 0;
      },
      handleDataRow() {
        rowCount = (rowCount ?? 0) + 1;
      },
      handleCommandComplete({ text }: { readonly text: string }) {
        message = rowCount === null ? text : `${rowCount} ${rowCount === 1 ? "row" : "rows"}`;
        rowCount = null;
      },
      handleEmptyQuery() {
        message = "0 rows";
      },
      handleError(error: unknown) {
        failure = errorMessage(error);
        // A connection that is lost says nothing else.
        if ((error as { severity?: string }).severity === undefined) done();
      },
      handleReadyForQuery: () => done(),
      handlePortalSuspended() {},
      handleCopyInResponse(wire: unknown) {
        (wire as Wire).sendCopyFail("COPY not supported");
      },
      handleCopyData() {},
    };
    const done = () =>
      resolve(failure === null ? { status: "succeeded", message } : { status: "failed", message: failure });
    // After an error pg hands its end to nobody.
    client.once("end", () => {
      failure ??= "connection lost";
      done();
    });
    client.query(query);
    client.connection.on("readyForQuery", () => {
      if (failure !== null) done();
    });
  });
}

/** As libpq words it. */
export function errorMessage(error: unknown): string {
  const {
    severity = "ERROR",
    message,
    detail,
    hint,
  } = error as { severity?: string; message: string; detail?: string; hint?: string };
  const lines = [`${severity}:  ${message}`];
  if (detail) lines.push(`DETAIL:  ${detail}`);
  if (hint) lines.push(`HINT:  ${hint}`);
  return lines.join("\n").slice(0, messageMaxLength);
}
