import type { ConnectionTarget } from "../session/target.ts";
import { problems } from "./problems.ts";

export type { ConnectionTarget } from "../session/target.ts";

type TlsMode = ConnectionTarget["tls"]["mode"];

/** libpq's modes, and what other clients' URLs carry for the same. `allow` would go unencrypted first: `prefer` is safer. */
const tlsModes: Readonly<Record<string, TlsMode>> = {
  disable: "disable",
  allow: "prefer",
  prefer: "prefer",
  require: "require",
  "no-verify": "require",
  "verify-ca": "verify-ca",
  "verify-full": "verify-full",
};

/** Asked for and not done would be a broken promise, so these are refused rather than overlooked. */
const unsupported = ["sslcert", "sslkey", "sslpassword", "requiressl", "service", "passfile"];

/**
 * Reads a connection URL as libpq does (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS):
 * `postgres://user:password@host:port/database?sslmode=verify-full`. A socket's folder is the host, percent-encoded, or `?host=/run/postgresql`.
 * Without a host it is `localhost`, without a user `postgres`, without a database the one named as the user; the environment is
 * not looked at. Parameters we do not know are ignored: every product adds its own.
 * @throws Problem `postgres/bad-connection-url`, which never quotes the URL: it holds the password
 */
export function parseConnectionUrl(url: string): ConnectionTarget {
  const match = /^postgres(?:ql)?:\/\/([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(url.trim());
  if (match === null) throw problems.badConnectionUrl("it does not begin with postgres://");
  const authority = match[1]!;
  const parameters = new Map<string, string>();
  for (const pair of (match[3] ?? "").split("&").filter(Boolean)) {
    const [name, ...rest] = pair.split("=");
    parameters.set(decode(name!).toLowerCase(), decode(rest.join("=")));
  }
  for (const name of unsupported) {
    if (parameters.has(name)) throw problems.badConnectionUrl(`the parameter ${name} is not supported`);
  }
  // An @ in a password ought to be %40, and often is not: the last one counts.
  const at = authority.lastIndexOf("@");
  const [user = "", password] = at < 0 ? [] : splitOnce(authority.slice(0, at), ":");
  const place = splitPlace(authority.slice(at + 1));
  const host = parameters.get("host") || parameters.get("hostaddr") || decode(place.host) || "localhost";
  if (host.includes(","))
    throw problems.badConnectionUrl(
      "it names several hosts, and one is expected: name the primary, or a proxy in front",
    );
  const name = parameters.get("user") || decode(user) || "postgres";
  return {
    host,
    port: parsePort(parameters.get("port") || place.port || "5432"),
    user: name,
    password: parameters.get("password") ?? (password === undefined ? null : decode(password)),
    database: parameters.get("dbname") || decode(match[2] ?? "") || name,
    tls: parseTls(parameters, host),
    applicationName: parameters.get("application_name") || null,
  };
}

function splitPlace(text: string): { host: string; port: string | undefined } {
  const address = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (address !== null) return { host: address[1]!, port: address[2] };
  const [host = "", port] = splitOnce(text, ":");
  return { host, port };
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw problems.badConnectionUrl("its port is not a number from 1 to 65535");
  return port;
}

function parseTls(parameters: ReadonlyMap<string, string>, host: string): ConnectionTarget["tls"] {
  const root = parameters.get("sslrootcert") || null;
  // JDBC's word, which libpq knows too.
  const asked = parameters.get("sslmode") || (parameters.get("ssl") === "true" ? "require" : undefined);
  const mode = asked === undefined ? undefined : tlsModes[asked];
  if (asked !== undefined && mode === undefined) {
    throw problems.badConnectionUrl(`its sslmode is none of ${Object.keys(tlsModes).join(", ")}`);
  }
  if (host.startsWith("/")) return { mode: "disable", rootCertificatePath: null };
  if (root === "system") {
    if (mode !== undefined && mode !== "verify-full")
      throw problems.badConnectionUrl("sslrootcert=system needs sslmode=verify-full");
    return { mode: "verify-full", rootCertificatePath: null };
  }
  // As libpq: who gives a root certificate and says `require` wants it used.
  if (root !== null && mode === "require") return { mode: "verify-ca", rootCertificatePath: root };
  return { mode: mode ?? "prefer", rootCertificatePath: root };
}

function splitOnce(text: string, separator: string): string[] {
  const index = text.indexOf(separator);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw problems.badConnectionUrl("it has a % that begins no percent-encoding: write %25 for the sign itself");
  }
}
