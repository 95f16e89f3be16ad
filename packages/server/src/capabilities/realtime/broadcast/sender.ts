import { hash } from "node:crypto";

/** How the log names the socket that sent a broadcast: 8 bytes, the same on every node. */
export const senderOf = (socketId: string): Buffer => hash("sha256", socketId, "buffer").subarray(0, 8);
