import type { AuthContext } from "./context.ts";
import { changeUser, createUser, deleteUser, getUser, listUsers } from "./flows/admin-users.ts";
import { signInAnonymously } from "./flows/anonymous.ts";
import { currentUser } from "./flows/current-user.ts";
import { logout } from "./flows/logout.ts";
import { refresh } from "./flows/refresh.ts";
import { signInWithPassword } from "./flows/sign-in.ts";
import { signUp } from "./flows/sign-up.ts";
import { updateUser } from "./flows/update-user.ts";

type Bound<F> = F extends (context: AuthContext, ...rest: infer R) => infer T ? (...rest: R) => T : never;

/** Every flow, one file each, bound to what it works with. */
export interface AuthService {
  readonly signUp: Bound<typeof signUp>;
  readonly signInAnonymously: Bound<typeof signInAnonymously>;
  readonly signInWithPassword: Bound<typeof signInWithPassword>;
  readonly refresh: Bound<typeof refresh>;
  readonly currentUser: Bound<typeof currentUser>;
  readonly updateUser: Bound<typeof updateUser>;
  readonly logout: Bound<typeof logout>;
  readonly createUser: Bound<typeof createUser>;
  readonly getUser: Bound<typeof getUser>;
  readonly listUsers: Bound<typeof listUsers>;
  readonly changeUser: Bound<typeof changeUser>;
  readonly deleteUser: Bound<typeof deleteUser>;
}

export function createAuthService(context: AuthContext): AuthService {
  return {
    signUp: (...rest) => signUp(context, ...rest),
    signInAnonymously: (...rest) => signInAnonymously(context, ...rest),
    signInWithPassword: (...rest) => signInWithPassword(context, ...rest),
    refresh: (...rest) => refresh(context, ...rest),
    currentUser: (...rest) => currentUser(context, ...rest),
    updateUser: (...rest) => updateUser(context, ...rest),
    logout: (...rest) => logout(context, ...rest),
    createUser: (...rest) => createUser(context, ...rest),
    getUser: (...rest) => getUser(context, ...rest),
    listUsers: (...rest) => listUsers(context, ...rest),
    changeUser: (...rest) => changeUser(context, ...rest),
    deleteUser: (...rest) => deleteUser(context, ...rest),
  };
}
