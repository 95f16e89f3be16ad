import { createCipheriv, scrypt, timingSafeEqual } from "node:crypto";

/**
 * Firebase's own use of scrypt (https://github.com/firebase/scrypt), in the form supabase/auth keeps it:
 * `$fbscrypt$v=1,n=<memory cost, a power of two>,r=<rounds>,p=1,ss=<salt separator>,sk=<signer key>$<salt>$<hash>`, Base64 all.
 */
const form =
  /^\$fbscrypt\$v=1,n=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})(?:,ss=([A-Za-z0-9+/]*={0,2}))?,sk=([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]*={0,2})\$([A-Za-z0-9+/]+={0,2})$/;

/** Firebase's n is 14, which takes 16 MiB; a row that asks for more than this is not one of its making, and matches nothing. */
const maxMemoryBytes = 67_108_864;
const maxParallelism = 4;
/** Key and initialization vector of AES-256-CTR. */
const keyBytes = 32;
const zeros = Buffer.alloc(16);

export const isFirebaseHash = (hash: string): boolean => parse(hash) !== null;

/** Whether `hash` was made of `password`. Computed off the event loop. False also for a hash of no known form. */
export async function isFirebaseMatch(password: string, hash: string): Promise<boolean> {
  const parsed = parse(hash);
  if (parsed === null) return false;
  const { cost, rounds, parallelism, salt, signerKey, expected } = parsed;
  const key = await new Promise<Buffer>((resolve, reject) => {
    const options = { N: cost, r: rounds, p: parallelism, maxmem: 2 * maxMemoryBytes };
    scrypt(Buffer.from(password), salt, keyBytes, options, (error, derived) =>
      error ? reject(error) : resolve(derived),
    );
  });
  // The hash is the project's signer key, encrypted with what the password gives.
  const cipher = createCipheriv("aes-256-ctr", key, zeros);
  const actual = Buffer.concat([cipher.update(signerKey), cipher.final()]);
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

function parse(hash: string) {
  const found = form.exec(hash);
  if (found === null) return null;
  const [, n, r, p, separator = "", signer = "", salt = "", expected = ""] = found;
  const [cost, rounds, parallelism] = [2 ** Number(n), Number(r), Number(p)];
  const isBounded = 128 * cost * rounds <= maxMemoryBytes && parallelism <= maxParallelism;
  if (cost < 2 || rounds < 1 || parallelism < 1 || !isBounded) return null;
  return {
    cost,
    rounds,
    parallelism,
    salt: Buffer.concat([Buffer.from(salt, "base64"), Buffer.from(separator, "base64")]),
    signerKey: Buffer.from(signer, "base64"),
    expected: Buffer.from(expected, "base64"),
  };
}
