import { createHmac } from "node:crypto";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext, Caller } from "../context.ts";
import type { User } from "../user.ts";
import { deviceOf, providerOf } from "./device.ts";
import { deviceStore } from "./device-store.ts";

/**
 * Remembers where a user signs in from, and tells them by mail of somewhere new: in `tx`, so that a sign-in that is undone told
 * nobody. The first device of all is nobody's news.
 */
export async function noticeDevice(context: AuthContext, tx: Queryable, user: User, caller: Caller): Promise<void> {
  const isNew = await deviceStore.see(tx, user.id, deviceKey(context, user.id, caller));
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

/** What a device of a user's is known by, in hexadecimal. */
export function deviceKey({ signer }: AuthContext, userId: string, { userAgent, network }: Caller): string {
  // With the user's id, so that two people on one device are not to be told from the table.
  return createHmac("sha256", signer.deriveKey("auth/known-devices"))
    .update(`${userId}\0${deviceOf(userAgent).family}\0${providerOf(network)}`)
    .digest("hex");
}
