import { Problem } from "../../../kernel/problem.ts";
import type { ConnectionTarget } from "../session/target.ts";
import type { Requirement } from "./requirements.ts";

export const problems = {
  /** The text given as the database's URL is none, or asks for what we cannot do. It is never quoted: it holds the password. */
  badConnectionUrl: (why: string) =>
    new Problem("postgres/bad-connection-url", 503, `The database URL cannot be used: ${why}.`, {
      hint: "It looks like postgres://user:password@host:5432/database?sslmode=verify-full, with special characters percent-encoded.",
    }),
  /** The database of the URL cannot be reached, or lets us not in. The message has its own words. */
  unreachable: (place: string, target: ConnectionTarget, cause: unknown) =>
    new Problem("postgres/unreachable", 503, `PostgreSQL at ${place} cannot be used: ${wordsOf(cause)}`, {
      hint: advise(target, cause),
      cause,
    }),
  /** The database lacks something we need. The message lists it all, each with what to do. */
  requirementsMissing: (place: string, missing: readonly Requirement[]) =>
    new Problem(
      "postgres/requirements-missing",
      503,
      `PostgreSQL at ${place} lacks what is needed:\n${missing.map(({ name, found, remedy }) => `  ${name}: ${found}. ${remedy}`).join("\n")}`,
      {
        hint: "`mainstay doctor` shows the whole list.",
        details: missing.map(({ name, found, remedy }) => ({ name, found, remedy })),
      },
    ),
};

function wordsOf(cause: unknown): string {
  // Node gives an AggregateError without words when every address of a name refused.
  if (cause instanceof AggregateError && cause.message === "") return cause.errors.map(wordsOf).join("; ");
  return cause instanceof Error ? cause.message : String(cause);
}

/** What to do, by SQLSTATE or by the error of the socket or of TLS. */
function advise(target: ConnectionTarget, cause: unknown): string {
  const code = (cause as { code?: string } | null)?.code ?? "";
  const isTls = /certificate|SELF_SIGNED|CERT_|ERR_TLS|UNABLE_TO/i.test(`${code} ${wordsOf(cause)}`);
  if (isTls) {
    return `Give the certificate authority with sslrootcert=/path/ca.pem, and connect by the name in the certificate; sslmode is ${target.tls.mode}.`;
  }
  switch (code) {
    case "28P01":
    case "28000":
      return `Check the user "${target.user}", the password and the server's pg_hba.conf.`;
    case "3D000":
      return `Create it: create database "${target.database}" encoding 'UTF8' template template0`;
    case "53300":
      return "Raise max_connections, or end connections nobody uses.";
    case "57P03":
      return "The server is starting up or shutting down: try again in a moment.";
    case "ECONNREFUSED":
    case "ENOENT":
      return "Check that PostgreSQL runs and listens there, and the host and port of the URL.";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "The host's name cannot be resolved: check the URL and the network.";
    default:
      return /does not support SSL/.test(wordsOf(cause))
        ? "The server offers no TLS: turn it on there (ssl = on), or say sslmode=disable on a network you trust."
        : "Check the database URL, and that nothing between here and there blocks it.";
  }
}
