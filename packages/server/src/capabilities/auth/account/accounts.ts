import { canonicalEmail, canonicalPhone } from "../address.ts";
import type { AuthContext } from "../context.ts";
import { type AdminUser, changeUser, createUser, deleteUser, listUsers } from "../flows/admin-users.ts";
import { isUuid } from "../request.ts";
import { sessionStore } from "../session-store.ts";
import { type ListedSession, lifetimesOf, sessionListStore } from "../sessions/store.ts";
import type { User } from "../user.ts";
import { type UserPage, userStore } from "../user-store.ts";
import {
  type ImportedIdentity,
  type ImportedUser,
  type ImportOptions,
  type ImportOutcome,
  importIdentities,
  importUsers,
} from "./import.ts";
import { accountStore, type PlannedRows } from "./store.ts";

/** What may be said of a new account. */
export type NewAccount = Partial<
  Pick<
    AdminUser,
    "id" | "email" | "phone" | "password" | "emailConfirm" | "phoneConfirm" | "userMetadata" | "appMetadata"
  >
>;

/** Accounts for whoever runs the server: what `mainstay user` does. Nobody is asked who they are. */
export interface Accounts {
  list(options: { readonly page: number; readonly perPage: number; readonly filter: string }): Promise<UserPage>;
  /** By id, address or number; `null` when there is none. */
  find(name: string): Promise<User | null>;
  /** @throws Problem as `POST /admin/users` */
  create(account: NewAccount): Promise<User>;
  /** What `remove` would take along. */
  preview(id: string): Promise<readonly PlannedRows[]>;
  /** @throws Problem 409 when rows of other tables stand in the way */
  remove(id: string): Promise<void>;
  /** @param duration as Go writes it, `24h`; `none` lifts the ban */
  ban(id: string, duration: string): Promise<User>;
  /** Those that are not over, the one used last first. */
  sessions(id: string): Promise<readonly ListedSession[]>;
  endSessions(id: string): Promise<void>;
  import(users: readonly ImportedUser[], options?: ImportOptions): Promise<readonly ImportOutcome[]>;
  importIdentities(
    identities: readonly (ImportedIdentity & { readonly userId: string })[],
    options?: ImportOptions,
  ): Promise<number>;
}

const nothing: AdminUser = {
  id: "",
  email: "",
  phone: "",
  password: "",
  passwordHash: "",
  emailConfirm: false,
  phoneConfirm: false,
  userMetadata: null,
  appMetadata: null,
  role: "",
  banDuration: "",
};

export function createAccounts(context: AuthContext): Accounts {
  const { db, settings } = context;
  return {
    list: (options) => listUsers(context, options),
    async find(name) {
      const email = canonicalEmail(name);
      const phone = canonicalPhone(name);
      const account = isUuid(name)
        ? await userStore.findById(db, name)
        : email !== null
          ? await userStore.findByEmail(db, email)
          : phone !== null
            ? await userStore.findByPhone(db, phone)
            : null;
      return account?.user ?? null;
    },
    create: (account) => createUser(context, { ...nothing, ...account }),
    preview: (id) => db.transaction((tx) => accountStore.plan(tx, id, settings.accountErasedTables)),
    remove: (id) => deleteUser(context, id, false),
    ban: (id, duration) => changeUser(context, id, { ...nothing, banDuration: duration }),
    sessions: (id) => sessionListStore.list(db, id, lifetimesOf(settings)),
    endSessions: (id) => sessionStore.endAll(db, id),
    import: (users, options) => importUsers(context, users, options),
    importIdentities: (identities, options) => importIdentities(context, identities, options),
  };
}
