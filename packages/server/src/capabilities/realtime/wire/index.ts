export { decode } from "./decode.ts";
export { broadcastMessage, channelEnd, jsonMessage, replyMessage, systemMessage } from "./outgoing.ts";
export { WireError } from "./wire-error.ts";
