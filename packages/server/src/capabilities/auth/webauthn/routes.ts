import { type Call, empty, json, type Reply, type Route } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import type { AuthContext } from "../context.ts";
import { currentUser } from "../flows/current-user.ts";
import { problems } from "../problems.ts";
import { isPrivate, replyWithSession } from "../reply.ts";
import { type Fields, hasBearer, isUuid, readFields, readOptionalFields, textField } from "../request.ts";
import { userStore } from "../user-store.ts";
import type { Answer, Challenge } from "./passkeys.ts";
import { createPasskeys } from "./passkeys.ts";
import { webauthnProblems } from "./problems.ts";
import type { Passkey } from "./store.ts";

/** An authenticator's answer with its certificates is some 10 KB. */
const bodyLimitBytes = 131_072;

/** Longest name of a passkey, in characters as people count them, nearly: code points. */
const maxNameLength = 120;

/** GoTrue's `/passkeys` (protocol, Passkeys). */
export function passkeyRoutes(context: AuthContext): readonly Route[] {
  const { settings, limits, captcha, db } = context;
  const passkeys = createPasskeys(context);
  const current = (call: Call) => currentUser(context, call.who, hasBearer(call));
  const assertEnabled = (): void => {
    if (!settings.passkeysEnabled) throw webauthnProblems.passkeyDisabled();
  };
  const ownerOf = async (call: Call): Promise<string> => {
    const id = call.params.id ?? "";
    if (!isUuid(id)) throw problems.idMalformed("user_id");
    if ((await userStore.findById(db, id)) === null) throw problems.userNotFound();
    return id;
  };

  return [
    {
      method: "POST",
      path: "/passkeys/registration/options",
      access: "caller",
      summary: "Begin to add a passkey to one's account.",
      bodyLimitBytes,
      async handle(call) {
        assertEnabled();
        const user = await current(call);
        await limits.take("passkey", callerOf(call).network);
        return challengeReply(await passkeys.beginRegistration(user));
      },
    },
    {
      method: "POST",
      path: "/passkeys/registration/verify",
      access: "caller",
      summary: "Add the passkey that the authenticator has made.",
      bodyLimitBytes,
      async handle(call) {
        assertEnabled();
        const user = await current(call);
        const { id, friendlyName, createdAt } = await passkeys.register(
          user,
          answerOf(await readFields(call)),
          callerOf(call),
        );
        return json({ id, ...named(friendlyName), created_at: createdAt }, 200, isPrivate);
      },
    },
    {
      method: "POST",
      path: "/passkeys/authentication/options",
      access: "key",
      summary: "Begin to sign in with a passkey.",
      bodyLimitBytes,
      async handle(call) {
        assertEnabled();
        const caller = callerOf(call);
        await limits.take("passkey", caller.network);
        await captcha.check(await readOptionalFields(call), caller);
        return challengeReply(await passkeys.beginSignIn());
      },
    },
    {
      method: "POST",
      path: "/passkeys/authentication/verify",
      access: "key",
      summary: "Sign in with a passkey.",
      bodyLimitBytes,
      async handle(call) {
        assertEnabled();
        const caller = callerOf(call);
        await limits.take("verify", caller.network);
        return replyWithSession(await passkeys.signIn(answerOf(await readFields(call)), caller), settings);
      },
    },
    {
      method: "GET",
      path: "/passkeys",
      access: "caller",
      summary: "One's passkeys, oldest first.",
      async handle(call) {
        assertEnabled();
        const { user } = await current(call);
        return json((await passkeys.list(user.id)).map(passkeyJson), 200, isPrivate);
      },
    },
    {
      method: "PATCH",
      path: "/passkeys/:id",
      access: "caller",
      summary: "Give a passkey a name.",
      bodyLimitBytes,
      async handle(call) {
        assertEnabled();
        const user = await current(call);
        const id = passkeyIdOf(call.params.id);
        const name = friendlyNameOf(await readFields(call));
        return json(passkeyJson(await passkeys.rename(user, id, name, callerOf(call))), 200, isPrivate);
      },
    },
    {
      method: "DELETE",
      path: "/passkeys/:id",
      access: "caller",
      summary: "Remove a passkey.",
      async handle(call) {
        assertEnabled();
        const user = await current(call);
        await passkeys.remove(user, passkeyIdOf(call.params.id), callerOf(call));
        return empty(204, isPrivate);
      },
    },
    {
      method: "GET",
      path: "/admin/users/:id/passkeys",
      access: "service",
      summary: "A user's passkeys, oldest first.",
      async handle(call) {
        return json((await passkeys.list(await ownerOf(call))).map(passkeyJson), 200, isPrivate);
      },
    },
    {
      method: "DELETE",
      path: "/admin/users/:id/passkeys/:passkey",
      access: "service",
      summary: "Remove a user's passkey.",
      async handle(call) {
        const owner = await ownerOf(call);
        await passkeys.removeOf(owner, passkeyIdOf(call.params.passkey), callerOf(call));
        return empty(204, isPrivate);
      },
    },
  ];
}

function challengeReply({ id, options, expiresAt }: Challenge<unknown>): Reply {
  return json({ challenge_id: id, options, expires_at: expiresAt }, 200, isPrivate);
}

/** @throws Problem `validation_failed` */
function answerOf(fields: Fields): Answer {
  const challengeId = textField(fields, "challenge_id");
  if (challengeId === "") throw problems.validationFailed("challenge_id is required");
  const credential = Object.hasOwn(fields, "credential") ? fields.credential : undefined;
  if (credential === undefined || credential === null) throw problems.validationFailed("credential is required");
  if (!isUuid(challengeId)) throw problems.validationFailed("challenge_id must be a valid UUID");
  return { challengeId, credential };
}

/** @throws Problem 404 `validation_failed` */
function passkeyIdOf(id = ""): string {
  if (!isUuid(id)) throw problems.idMalformed("passkey_id");
  return id;
}

/** @throws Problem `validation_failed` */
function friendlyNameOf(fields: Fields): string {
  const name = textField(fields, "friendly_name");
  if (name === "") throw problems.validationFailed("friendly_name is required");
  if ([...name].length > maxNameLength) {
    throw problems.validationFailed(`friendly_name must be ${maxNameLength} characters or less`);
  }
  if (!name.isWellFormed() || name.includes("\0")) {
    throw problems.validationFailed("friendly_name holds characters that cannot be stored");
  }
  return name;
}

const named = (name: string) => (name === "" ? {} : { friendly_name: name });

function passkeyJson({ id, friendlyName, createdAt, lastUsedAt }: Passkey): Record<string, unknown> {
  return {
    id,
    ...named(friendlyName),
    created_at: createdAt,
    ...(lastUsedAt === null ? {} : { last_used_at: lastUsedAt }),
  };
}
