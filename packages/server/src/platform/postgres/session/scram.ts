import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

const derive = promisify(pbkdf2);

/** Salted passwords by (password, salt, iterations): a lane that grows asks for the same one again and again. */
const salted = new Map<string, Promise<Buffer>>();
const SALTED_LIMIT = 32;

/**
 * One SCRAM-SHA-256 conversation, client side (RFC 5802, RFC 7677). Channel binding is not offered.
 * The server's signature is verified: without it anyone could pretend to be the database.
 */
export class ScramClient {
  readonly #password: string;
  readonly #nonce = randomBytes(18).toString("base64");
  #serverSignature: Buffer | null = null;
  #isVerified = false;

  constructor(password: string) {
    // SASLprep maps to NFKC; PostgreSQL does the same and falls back to the raw bytes where that fails.
    this.#password = password.normalize("NFKC");
  }

  /** True until the server has proved itself. */
  get isPending(): boolean {
    return !this.#isVerified;
  }

  /** PostgreSQL ignores the user name in here and uses the startup packet's. */
  first(): string {
    return `n,,n=,r=${this.#nonce}`;
  }

  /** Answers the server's first message. Throws when it is malformed or not an answer to ours. */
  async final(serverFirst: string): Promise<string> {
    const attributes = parseAttributes(serverFirst);
    const nonce = attributes.get("r") ?? "";
    const iterations = Number(attributes.get("i"));
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length)
      throw new Error("SCRAM: the server's nonce does not extend ours.");
    if (!Number.isInteger(iterations) || iterations < 1 || iterations > 10_000_000)
      throw new Error("SCRAM: bad iteration count.");
    const key = await saltPassword(this.#password, attributes.get("s") ?? "", iterations);
    const clientKey = hmac(key, "Client Key");
    const storedKey = createHash("sha256").update(clientKey).digest();
    const withoutProof = `c=biws,r=${nonce}`;
    const message = `n=,r=${this.#nonce},${serverFirst},${withoutProof}`;
    const signature = hmac(storedKey, message);
    const proof = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!));
    this.#serverSignature = hmac(hmac(key, "Server Key"), message);
    return `${withoutProof},p=${proof.toString("base64")}`;
  }

  /** Throws unless the server proved that it knows the password too. */
  verify(serverFinal: string): void {
    const attributes = parseAttributes(serverFinal);
    const given = Buffer.from(attributes.get("v") ?? "", "base64");
    const expected = this.#serverSignature;
    if (expected === null || given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new Error("SCRAM: the server could not prove that it knows the password.");
    }
    this.#isVerified = true;
  }
}

function saltPassword(password: string, salt: string, iterations: number): Promise<Buffer> {
  const id = createHash("sha256").update(`${iterations}\0${salt}\0${password}`).digest("base64");
  const known = salted.get(id);
  if (known) return known;
  const fresh = derive(password, Buffer.from(salt, "base64"), iterations, 32, "sha256");
  if (salted.size >= SALTED_LIMIT) salted.clear();
  salted.set(id, fresh);
  return fresh;
}

const hmac = (key: Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();

function parseAttributes(text: string): Map<string, string> {
  return new Map(text.split(",").map((part) => [part.slice(0, 1), part.slice(2)]));
}
