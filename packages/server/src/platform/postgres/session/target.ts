/** Where a PostgreSQL is and how to come in. */
export interface ConnectionTarget {
  /** Host name or address; a directory (it starts with `/`) means the Unix socket in it. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | null;
  readonly database: string;
  readonly tls: {
    /** As libpq's `sslmode`. https://www.postgresql.org/docs/current/libpq-ssl.html */
    readonly mode: "disable" | "prefer" | "require" | "verify-ca" | "verify-full";
    readonly rootCertificatePath: string | null;
  };
  readonly applicationName: string | null;
}
