/**
 * The URL under which this machine reaches a server that listens on `host`: nobody can connect to "every interface", and
 * `localhost` may mean an address it does not listen on.
 */
export function localUrl(host: string, port: number): string {
  if (host === "0.0.0.0" || host === "::") return `http://127.0.0.1:${port}`;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
