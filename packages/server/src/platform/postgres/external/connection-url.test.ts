import { describe, expect, it } from "vitest";
import { Problem } from "../../../kernel/problem.ts";
import { parseConnectionUrl } from "./connection-url.ts";

const prefer = { mode: "prefer", rootCertificatePath: null };

describe("parseConnectionUrl", () => {
  it("reads every part", () => {
    expect(
      parseConnectionUrl("postgresql://ada:s%40cret%2F@db.example.com:6432/app?sslmode=require&application_name=roam"),
    ).toEqual({
      host: "db.example.com",
      port: 6432,
      user: "ada",
      password: "s@cret/",
      database: "app",
      tls: { mode: "require", rootCertificatePath: null },
      applicationName: "roam",
    });
  });

  it.each([
    [
      "postgres://",
      { host: "localhost", port: 5432, user: "postgres", password: null, database: "postgres", tls: prefer },
    ],
    ["postgres://ada@h", { host: "h", user: "ada", database: "ada", password: null }],
    ["postgres://ada:@h/d", { user: "ada", password: "", database: "d" }],
    ["postgres://u:a@b:c@h:1/d", { user: "u", password: "a@b:c", host: "h", port: 1 }],
    ["postgres://u:p#x@h/d", { password: "p#x", host: "h" }],
    ["postgres://[::1]:5433/d", { host: "::1", port: 5433 }],
    [
      "postgres://u@%2Frun%2Fpostgresql/d",
      { host: "/run/postgresql", tls: { mode: "disable", rootCertificatePath: null } },
    ],
    [
      "postgres://u:p@/d?host=/tmp/a%20b&port=5499",
      { host: "/tmp/a b", port: 5499, user: "u", password: "p", database: "d" },
    ],
    ["postgres:///?user=u&password=p%25&dbname=d&host=h", { user: "u", password: "p%", database: "d", host: "h" }],
    ["postgres://h/d?pgbouncer=true&channel_binding=require", { host: "h", database: "d", tls: prefer }],
  ])("reads %s", (url, expected) => {
    expect(parseConnectionUrl(url)).toMatchObject(expected);
  });

  it.each([
    ["sslmode=disable", "disable", null],
    ["sslmode=allow", "prefer", null],
    ["sslmode=no-verify", "require", null],
    ["ssl=true", "require", null],
    ["sslmode=verify-ca&sslrootcert=/ca.pem", "verify-ca", "/ca.pem"],
    ["sslmode=verify-full", "verify-full", null],
    ["sslrootcert=system", "verify-full", null],
    ["sslmode=require&sslrootcert=/ca.pem", "verify-ca", "/ca.pem"],
  ])("takes %s for %s", (query, mode, rootCertificatePath) => {
    expect(parseConnectionUrl(`postgres://h/d?${query}`).tls).toEqual({ mode, rootCertificatePath });
  });

  it.each([
    "mysql://u:hunter2@h/d",
    "h:5432/d hunter2",
    "postgres://u:hunter2@h:99999/d",
    "postgres://u:hunter2@h:54x/d",
    "postgres://u:hunter2%@h/d",
    "postgres://u:hunter2@h1,h2/d",
    "postgres://u:hunter2@h/d?sslmode=sometimes",
    "postgres://u:hunter2@h/d?sslrootcert=system&sslmode=require",
    "postgres://u:hunter2@h/d?sslcert=/c.pem",
  ])("refuses %s without quoting it", (url) => {
    const read = () => parseConnectionUrl(url);
    expect(read).toThrow(Problem);
    expect(read).toThrow(expect.objectContaining({ code: "postgres/bad-connection-url" }));
    expect(read).not.toThrow(/hunter2/);
  });
});
