/** Whether a host name or address means this machine and nothing else. Names are not looked up. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  return name === "localhost" || name.endsWith(".localhost") || name === "::1" || /^127(?:\.\d{1,3}){3}$/.test(name);
}

/** Whether a `Host` header names this machine: a page that has its own name lead here (DNS rebinding) names another. */
export function isLoopbackHost(header: string | undefined): boolean {
  const host = /^(\[[0-9a-fA-F:.]+\]|[^:@/\s]+)(?::\d{1,5})?$/.exec(header ?? "")?.[1];
  return host !== undefined && isLoopback(host);
}
