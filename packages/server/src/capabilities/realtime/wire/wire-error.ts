/**
 * A message that is none, or that the wire cannot carry.
 *
 * What does not parse at all comes from somebody who speaks another protocol, and ends the connection with `closeCode` (RFC 6455 §7.4.1).
 * What parses, but is no message of ours, costs only itself (`null`): other channels share the socket, and SDKs newer than this server may
 * send what it does not know.
 */
export class WireError extends Error {
  override readonly name = "WireError";
  /** 1003: a kind of data this version does not have; 1007: data that contradicts itself. `null`: ignore the message. */
  readonly closeCode: 1003 | 1007 | null;

  constructor(message: string, closeCode: 1003 | 1007 | null = null) {
    super(message);
    this.closeCode = closeCode;
  }
}
