/** What a function asked for is not for functions. `code` is Node's for what its own permissions refuse. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly code: string = "ERR_ACCESS_DENIED";
}

/** A connection to where functions may not connect. The message names what was asked for, never what it resolves to. */
export class AddressRefusedError extends RefusedError {
  override readonly code = "ERR_ADDRESS_REFUSED";

  constructor(asked: string) {
    super(
      `Functions may not connect to ${asked}: it is no public address. Hosts of your own are named in MAINSTAY_FUNCTIONS_ALLOWED_HOSTS.`,
    );
  }
}
