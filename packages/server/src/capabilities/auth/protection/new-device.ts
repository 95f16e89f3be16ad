import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext, Caller } from "../context.ts";
import type { User } from "../user.ts";
import { deviceOf } from "./device.ts";
import { deviceStore } from "./device-store.ts";

/**
 * Remembers where a user signs in from, and tells them by mail of somewhere new: in `tx`, so that a sign-in that is undone told
 * nobody. The first device of all is nobody's news.
 */
export async function noticeDevice(context: AuthContext, tx: Queryable, user: User, caller: Caller): Promise<void> {
  const isNew = await deviceStore.see(tx, user.id, context.deviceKey(user.id, caller));
  if (!isNew || user.email === "" || user.emailConfirmedAt === null) return;
  await context.messages.mail(tx, {
    kind: "new_device",
    to: user.email,
    user,
    otp: "",
    tokenHash: "",
    verifyType: "",
    redirectTo: context.settings.siteUrl,
    newEmail: "",
    facts: {
      device: deviceOf(caller.userAgent).label,
      address: caller.ip ?? "",
      time: new Date(context.clock.nowMs()).toUTCString(),
    },
  });
}
