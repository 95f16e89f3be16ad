import { lookup, Resolver } from "node:dns";
import { isIP, type LookupFunction, Server, Socket, type TcpNetConnectOpts } from "node:net";
import { checkedLookup } from "../../../../platform/outbound/checked-lookup.ts";
import { OutboundError } from "../../../../platform/outbound/error.ts";
import type { Addresses } from "./addresses.ts";
import { lock, put } from "./put.ts";
import { AddressRefusedError, RefusedError } from "./refused.ts";

type Resolve = NonNullable<Parameters<typeof checkedLookup>[1]>;
type Method = (this: object, ...args: readonly unknown[]) => unknown;

/** What Node's handles say in libuv's numbers: EACCES. */
const refused = -13;

/**
 * Lets sockets connect only where they may (threats X01, X23), in two places. `Socket.prototype.connect` is where every client comes by, fetch,
 * http, https, http2, tls and npm's; there a name is resolved, once, and all its addresses are asked about. Below it, where a socket's handle is
 * given the address at last, every address is asked about again, so that what comes another way, or has changed a method on the way, is stopped
 * all the same. Redirects are connections like others.
 * @param resolve for tests of names that change their address
 */
export function guardConnections(addresses: Addresses, resolve: Resolve = lookup): void {
  const { tcp, pipe } = handlePrototypes();
  const connectTo = (connect: Method): Method =>
    function (this: object, request, address, port) {
      // Read once: whatever they are, what is asked about is what is connected to.
      const [host, number] = [String(address), Number(port)];
      return addresses.isAllowed(host, number) ? Reflect.apply(connect, this, [request, host, number]) : refused;
    };
  const no = () => refused;
  lock(tcp, { connect: connectTo(tcp.connect!), connect6: connectTo(tcp.connect6!) });
  lock(tcp, { open: no, bind: no, bind6: no, listen: no });
  lock(pipe, { open: no, connect: no, bind: no, listen: no, fchmod: no });

  const connect = Socket.prototype.connect as Method;
  Socket.prototype.connect = function (this: Socket, ...args: readonly unknown[]) {
    const [options, done] = normalized(args);
    const target = options.path ? refusing("a local socket") : targetOf(options);
    return Reflect.apply(connect, this, [{ ...options, ...target, path: undefined }, done]) as Socket;
  } as typeof Socket.prototype.connect;

  const targetOf = (options: Partial<TcpNetConnectOpts>): Target => {
    const host = String(options.host ?? "localhost");
    const port = Number(options.port);
    const isAllowed = addresses.forHost(host, port);
    // Node resolves no name that is an address already.
    if (isIP(host) !== 0) return isAllowed(host) ? { host, port } : refusing(host);
    const checked = checkedLookup(isAllowed, resolve);
    const lookup: LookupFunction = (name, wanted, found) =>
      checked(name, wanted, (error, ...rest) =>
        found(error instanceof OutboundError ? new AddressRefusedError(host) : error, ...rest),
      );
    return { host, port, lookup };
  };

  guardServers();
  guardResolvers(addresses);
}

/** Where the methods are that connect in the end. They cannot be imported: a socket that begins to connect has one as its handle. */
function handlePrototypes(): Record<"tcp" | "pipe", Record<string, Method>> {
  const handleOf = (options: { readonly port: number; readonly host: string } | { readonly path: string }): object => {
    const socket = new Socket();
    socket.on("error", () => {});
    socket.connect(options as TcpNetConnectOpts);
    const { _handle: handle } = socket as unknown as { readonly _handle: object };
    // Before the next tick, in which it would connect.
    socket.destroy();
    return Object.getPrototypeOf(handle) as object;
  };
  return {
    tcp: handleOf({ host: "127.0.0.1", port: 9 }) as Record<string, Method>,
    pipe: handleOf({ path: "/nowhere" }) as Record<string, Method>,
  };
}

/** As `net` reads its arguments: options, port and host, a path; or what `net.connect` has made of those already, as an array. */
function normalized(args: readonly unknown[]): [Partial<TcpNetConnectOpts> & { readonly path?: unknown }, unknown] {
  const given = Array.isArray(args[0]) ? (args[0] as readonly unknown[]) : args;
  const done = given.findLast((argument) => typeof argument === "function");
  const [first, second] = given;
  if (typeof first === "object" && first !== null) return [{ ...first }, done];
  if (typeof first === "string" && !/^\d+$/.test(first)) return [{ path: first }, done];
  return [{ port: Number(first), ...(typeof second === "string" ? { host: second } : {}) }, done];
}

type Target = Required<Pick<TcpNetConnectOpts, "host" | "port">> & Pick<TcpNetConnectOpts, "lookup">;

/** Fails as a name does that is not there, so that every client is in the state that it knows. */
const refusing = (asked: string): Target => ({
  host: "refused.invalid",
  port: 1,
  lookup: (_name, _options, found) => process.nextTick(found, new AddressRefusedError(asked), "", 4),
});

function guardServers(): void {
  put(Server.prototype, {
    listen(): never {
      throw new RefusedError(
        "Functions cannot open server ports: export a handler, and it is served at /functions/v1/<file>.",
      );
    },
  });
}

/** Name servers are connections too, which `node:dns` makes by itself. */
function guardResolvers(addresses: Addresses): void {
  const { _handle: channel } = new Resolver() as unknown as { readonly _handle: object };
  const prototype = Object.getPrototypeOf(channel) as Record<string, Method>;
  const setServers = prototype.setServers!;
  lock(prototype, {
    setServers(this: object, servers: unknown) {
      const copy = [...(servers as Iterable<readonly [number, string, number]>)].map(
        ([family, address, port]) => [Number(family), String(address), Number(port)] as const,
      );
      for (const [, address, port] of copy) {
        if (!addresses.forHost(address, port)(address)) throw new AddressRefusedError(address);
      }
      return Reflect.apply(setServers, this, [copy]);
    },
  });
}
