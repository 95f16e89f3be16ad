import { type Call, json, type Route } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import { currentUser } from "../flows/current-user.ts";
import { problems } from "../problems.ts";
import { bodyLimitBytes, isPrivate, replyWithSession } from "../reply.ts";
import { hasBearer, isUuid, readFields, readOptionalFields, textField } from "../request.ts";
import { challengeFactor } from "./challenge.ts";
import { type MfaContext, type Person, personOf } from "./context.ts";
import { enrollFactor } from "./enroll.ts";
import { factorJson } from "./factor.ts";
import {
  makeRecoveryCodes,
  recoveryStatus,
  remakeRecoveryCodes,
  removeRecoveryCodes,
  verifyRecoveryCode,
} from "./recovery-codes.ts";
import { factorStore } from "./store.ts";
import { unenrollFactor } from "./unenroll.ts";
import { verifyFactor } from "./verify.ts";

/** What people do with their own second factors (Supabase docs, Multi-Factor Authentication). */
export function mfaRoutes(context: MfaContext): readonly Route[] {
  const { settings } = context;
  const person = async (call: Call): Promise<Person> => personOf(await currentUser(context, call.who, hasBearer(call)));

  return [
    ...recoveryRoutes(context, person),
    {
      method: "GET",
      path: "/factors",
      access: "caller",
      summary: "One's own second factors, oldest first.",
      async handle(call) {
        const { user } = await person(call);
        return json((await factorStore.list(context.db, user.id)).map(factorJson), 200, isPrivate);
      },
    },
    {
      method: "POST",
      path: "/factors",
      access: "caller",
      summary: "Add a second factor, to be verified.",
      bodyLimitBytes,
      async handle(call) {
        const who = await person(call);
        const fields = await readFields(call);
        const given = {
          type: textField(fields, "factor_type"),
          friendlyName: textField(fields, "friendly_name"),
          issuer: textField(fields, "issuer"),
          phone: textField(fields, "phone"),
        };
        return json(await enrollFactor(context, who, given, callerOf(call)), 200, isPrivate);
      },
    },
    {
      method: "DELETE",
      path: "/factors/:id",
      access: "caller",
      summary: "Take a second factor away.",
      bodyLimitBytes,
      async handle(call) {
        const who = await person(call);
        const id = idOf(call);
        await unenrollFactor(context, who, id, callerOf(call));
        return json({ id }, 200, isPrivate);
      },
    },
    {
      method: "POST",
      path: "/factors/:id/challenge",
      access: "caller",
      summary: "Ask to show a second factor: a code is sent, or a ceremony begun.",
      bodyLimitBytes,
      async handle(call) {
        const who = await person(call);
        const id = idOf(call);
        const channel = textField(await readOptionalFields(call), "channel");
        return json(await challengeFactor(context, who, id, channel, callerOf(call)), 200, isPrivate);
      },
    },
    {
      method: "POST",
      path: "/factors/:id/verify",
      access: "caller",
      summary: "Show a second factor, for a session of the higher level.",
      bodyLimitBytes,
      async handle(call) {
        const who = await person(call);
        const id = idOf(call);
        return replyWithSession(await verifyFactor(context, who, id, await readFields(call), callerOf(call)), settings);
      },
    },
  ];
}

function recoveryRoutes(context: MfaContext, person: (call: Call) => Promise<Person>): readonly Route[] {
  const path = "/factors/recovery-codes";
  return [
    {
      method: "GET",
      path,
      access: "caller",
      summary: "How many recovery codes are left.",
      async handle(call) {
        return json(await recoveryStatus(context, await person(call)), 200, isPrivate);
      },
    },
    {
      method: "POST",
      path,
      access: "caller",
      summary: "Make recovery codes; they are shown this once.",
      bodyLimitBytes,
      async handle(call) {
        const who = await person(call);
        const name = textField(await readOptionalFields(call), "friendly_name");
        return json(await makeRecoveryCodes(context, who, name, callerOf(call)), 200, isPrivate);
      },
    },
    {
      method: "DELETE",
      path,
      access: "caller",
      summary: "Take the recovery codes away.",
      bodyLimitBytes,
      async handle(call) {
        return json({ id: await removeRecoveryCodes(context, await person(call), callerOf(call)) }, 200, isPrivate);
      },
    },
    {
      method: "POST",
      path: `${path}/regenerate`,
      access: "caller",
      summary: "Make the recovery codes anew; the old ones are worth nothing.",
      bodyLimitBytes,
      async handle(call) {
        return json(await remakeRecoveryCodes(context, await person(call), callerOf(call)), 200, isPrivate);
      },
    },
    {
      method: "POST",
      path: `${path}/verify`,
      access: "caller",
      summary: "Show a recovery code, for a session of the higher level.",
      bodyLimitBytes,
      async handle(call) {
        const who = await person(call);
        const code = textField(await readFields(call), "code");
        if (code === "") throw problems.validationFailed("Code needs to be non-empty");
        return replyWithSession(await verifyRecoveryCode(context, who, code, callerOf(call)), context.settings);
      },
    },
  ];
}

function idOf(call: Call): string {
  const id = call.params.id ?? "";
  if (!isUuid(id)) throw problems.idMalformed("factor_id");
  return id.toLowerCase();
}
