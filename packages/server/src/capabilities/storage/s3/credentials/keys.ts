import { randomBytes } from "node:crypto";
import { createSeal } from "../../../../kernel/seal.ts";
import type { TokenSigner } from "../../../../platform/identity/types.ts";
import type { Queryable } from "../../../../platform/postgres/database.ts";
import { problems } from "../problems.ts";
import { type AccessKey, keysStore } from "./store.ts";

export type { AccessKey } from "./store.ts";

/** What a key is to be for. */
export interface KeyOrder {
  /** What its requests run as: `service_role`, which passes all policies, when left out with `userId`, or `authenticated` with it. */
  readonly role?: string;
  /** Whose `sub` they have, a UUID. */
  readonly userId?: string;
  readonly description?: string;
}

/** Access keys of the S3 endpoint, for the people who run the server. */
export interface AccessKeys {
  list(): Promise<readonly AccessKey[]>;
  /** The secret is told once. @throws Problem `storage/s3-key-role`, `storage/s3-key-user` */
  create(order: KeyOrder): Promise<AccessKey & { readonly secret: string }>;
  /** Every node refuses it from then on. @returns false when there was none */
  revoke(id: string): Promise<boolean>;
}

/** Letters and digits that cannot be taken for each other, as in AWS's own ids. */
const idLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const idChars = 18;
/** 40 characters of base64: what tools expect of a secret. */
const secretBytes = 30;
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const sealOf = (signer: Pick<TokenSigner, "deriveKey">) => createSeal(signer.deriveKey("storage s3 keys"));

/**
 * The secret of a key as it is kept. Bound to the key's id: it cannot be moved to another.
 * @throws Problem `InvalidAccessKeyId` when the server's own secret is another now: the key has ended with it
 */
export function openSecret(signer: Pick<TokenSigner, "deriveKey">, id: string, sealed: Buffer): string {
  try {
    return sealOf(signer).open(sealed, id);
  } catch (error) {
    throw Object.assign(problems.invalidAccessKeyId(), { cause: error });
  }
}

export function createAccessKeys(db: Pick<Queryable, "query">, signer: Pick<TokenSigner, "deriveKey">): AccessKeys {
  return {
    list: () => keysStore.list(db),
    revoke: (id) => keysStore.remove(db, id),
    async create({ role, userId, description = "" }) {
      const runsAs = role ?? (userId === undefined ? "service_role" : "authenticated");
      if (!(await keysStore.isRole(db, runsAs))) throw problems.keyRole(runsAs);
      if (userId !== undefined && !(uuid.test(userId) && (await keysStore.isUser(db, userId)))) {
        throw problems.keyUser(userId);
      }
      const id = `MS${Array.from(randomBytes(idChars), (byte) => idLetters[byte & 31]).join("")}`;
      const secret = randomBytes(secretBytes).toString("base64");
      const key = { id, role: runsAs, userId: userId ?? null, description };
      await keysStore.add(db, { ...key, sealedSecret: sealOf(signer).close(secret, id) });
      return { ...key, createdAt: new Date().toISOString(), secret };
    },
  };
}
