import type { Queryable } from "../postgres/database.ts";
import { parseKeys, type StoredKeys } from "./key-file.ts";
import { keyringStore } from "./keyring-store.ts";
import { problems } from "./problems.ts";
import { seal, sealingKey, unseal } from "./sealed.ts";

/** Shortest master key, in bytes: what `openssl rand -base64 24` gives. */
const masterKeyMinBytes = 32;

/** The keys of all nodes of one database, kept there encrypted. Calls are made one at a time. */
export interface SharedKeys {
  /** The keys in the database; those of this node, when there are none yet. */
  join(own: StoredKeys): Promise<StoredKeys>;
  /** The keys in the database now. */
  pull(): Promise<StoredKeys>;
  /** Puts `keys` in the place of those last seen. @returns false, changing nothing, when another node was faster */
  push(keys: StoredKeys): Promise<boolean>;
}

/** @throws Problem when the master key is too short; its calls, when the keys were encrypted with another */
export function createSharedKeys(db: Pick<Queryable, "query">, masterKey: string): SharedKeys {
  if (Buffer.byteLength(masterKey) < masterKeyMinBytes) throw problems.masterKeyShort(masterKeyMinBytes);
  const key = sealingKey(masterKey, "keyring");
  let revision = 0;

  async function find(): Promise<StoredKeys | null> {
    const found = await keyringStore.read(db);
    if (found === null) return null;
    const text = unseal(found.sealed, key);
    if (text === null) throw problems.masterKeyWrong();
    revision = found.revision;
    return parseKeys(text, "The keyring in the database");
  }

  async function pull(): Promise<StoredKeys> {
    const keys = await find();
    if (keys === null) throw new Error("The keyring in the database has gone.");
    return keys;
  }

  return {
    pull,
    async join(own) {
      const found = await find();
      if (found !== null) return found;
      await keyringStore.create(db, seal(JSON.stringify(own), key));
      return pull();
    },
    async push(keys) {
      const isMine = await keyringStore.replace(db, revision, seal(JSON.stringify(keys), key));
      if (isMine) revision += 1;
      return isMine;
    },
  };
}
