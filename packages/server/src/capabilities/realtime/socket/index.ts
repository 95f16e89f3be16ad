export type { SocketHandler } from "./client-socket.ts";
export { createSocketServer, type SocketServer, type SocketStats } from "./server.ts";
