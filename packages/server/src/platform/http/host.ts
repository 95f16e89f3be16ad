/**
 * The name in a `Host` header, lower case, without its port and the dot of a whole name; `""` where there is none. It is compared with
 * names we were told, and never echoed.
 */
export function hostNameOf(host: string | undefined): string {
  if (host === undefined) return "";
  const name = host.startsWith("[") ? host.slice(0, host.indexOf("]") + 1) : host.split(":", 1)[0]!;
  return (name.endsWith(".") ? name.slice(0, -1) : name).toLowerCase();
}
