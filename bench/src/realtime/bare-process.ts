import { createServer } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";

/** The limit: `ws` passing every message on to all of a path, and nothing else. Compression off, as ours. */
const rooms = new Map<string, Set<WebSocket>>();
const sockets = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false });
const server = createServer();

server.on("upgrade", (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (websocket) => {
    const room = rooms.get(request.url!) ?? new Set();
    rooms.set(request.url!, room.add(websocket));
    websocket.on("message", (data, isBinary) => {
      for (const member of room) member.send(data, { binary: isBinary });
    });
    websocket.on("close", () => room.delete(websocket));
  });
});
server.listen(Number(process.argv[2]), "127.0.0.1", 1024, () => process.send!("ready"));
process.on("disconnect", () => process.exit());
