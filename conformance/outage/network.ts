import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** The way from a phone to a server: TCP, with all that can befall it. */
export interface Network {
  /** What the phone calls the server. */
  readonly url: string;
  /** Every connection breaks, and none can be made. */
  cut(): void;
  /** Bytes go neither way, and nobody is told. New connections wait, too. */
  stall(): void;
  /** The phone is in another network: its connections are gone, and the server's ends of them stay open and silent for good. */
  move(): void;
  /** Everything passes again, what was held back included. */
  restore(): void;
  /** New connections lead to another server from now on. Those that are kept alive lead where they led. */
  leadTo(port: number): void;
  stop(): Promise<void>;
}

interface Line {
  readonly phone: Socket;
  readonly server: Socket;
}

/** @param port where the server listens, on this machine */
export async function openNetwork(port: number): Promise<Network> {
  let target = port;
  let state: "open" | "cut" | "stalled" = "open";
  const lines = new Set<Line>();
  const silent = new Set<Socket>();
  const listener = createServer({ pauseOnConnect: true }, (phone) => {
    if (state === "cut") return void phone.resetAndDestroy();
    const line = { phone, server: connect(target, "127.0.0.1") };
    lines.add(line);
    for (const [from, to] of [
      [line.phone, line.server],
      [line.server, line.phone],
    ] as const) {
      from.on("data", (bytes) => void to.write(bytes));
      from.on("end", () => void to.end());
      from.on("error", () => void to.destroy());
      from.on("close", () => {
        lines.delete(line);
        if (!silent.has(line.server)) to.destroy();
      });
    }
    if (state === "stalled") hold(line);
    else letGo(line);
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port: own } = listener.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${own}`,
    cut() {
      state = "cut";
      for (const { phone, server } of lines) {
        phone.resetAndDestroy();
        server.resetAndDestroy();
      }
    },
    stall() {
      state = "stalled";
      for (const line of lines) hold(line);
    },
    move() {
      for (const { phone, server } of lines) {
        silent.add(server.pause());
        phone.resetAndDestroy();
      }
    },
    restore() {
      state = "open";
      for (const line of lines) letGo(line);
    },
    leadTo(port) {
      target = port;
    },
    async stop() {
      listener.close();
      for (const socket of [...silent, ...[...lines].flatMap(({ phone, server }) => [phone, server])]) socket.destroy();
      await once(listener, "close");
    },
  };
}

function hold({ phone, server }: Line): void {
  phone.pause();
  server.pause();
}

function letGo({ phone, server }: Line): void {
  phone.resume();
  server.resume();
}
