import { type Call, json, type Reply, type Route } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import type { AuthContext } from "../context.ts";
import { currentUser } from "../flows/current-user.ts";
import { problems } from "../problems.ts";
import { bodyLimitBytes, isPrivate } from "../reply.ts";
import { type Fields, flagField, hasBearer, objectField, readFields, textField } from "../request.ts";
import { userJson } from "../user.ts";
import { channelOf, destinationOf, redirectOf } from "./fields.ts";
import { generateLink } from "./generate-link.ts";
import { invite } from "./invite.ts";
import { reauthenticate } from "./reauthenticate.ts";
import { recover } from "./recover.ts";
import { resend } from "./resend.ts";
import { mailOtp, textOtp } from "./send-otp.ts";

const sent = (messageId = ""): Reply => json(messageId === "" ? {} : { message_id: messageId }, 200, isPrivate);

/** Asking for codes and links (auth.md §7.1), and making them for others (§14). */
export function oneTimeRoutes(context: AuthContext): readonly Route[] {
  const { settings } = context;

  /** What strangers may ask for, once they have solved a captcha where there is one. */
  const askFor = async (call: Call): Promise<Fields> => {
    const fields = await readFields(call);
    await context.captcha.check(fields, callerOf(call));
    return fields;
  };
  const dataOf = (fields: Fields): Fields => objectField(fields, "data", settings.metadataMaxBytes) ?? {};
  const nonce = async (call: Call): Promise<Reply> => {
    const current = await currentUser(context, call.who, hasBearer(call));
    return sent(await reauthenticate(context, current, callerOf(call)));
  };

  return [
    {
      method: "POST",
      path: "/otp",
      access: "key",
      summary: "Send a code, and by mail a link too, that signs in.",
      bodyLimitBytes,
      async handle(call) {
        const fields = await askFor(call);
        const [email, phone] = [textField(fields, "email"), textField(fields, "phone")];
        if (email !== "" && phone !== "") {
          throw problems.validationFailed("Only an email address or phone number should be provided");
        }
        const destination = destinationOf(settings, call, fields);
        const request = { createsUser: flagField(fields, "create_user") ?? true, data: dataOf(fields), destination };
        if (email !== "") {
          if (textField(fields, "channel") !== "") {
            throw problems.validationFailed("Channel should only be specified with Phone OTP");
          }
          await mailOtp(context, { ...request, email }, callerOf(call));
          return sent();
        }
        if (phone === "") throw problems.validationFailed("One of email or phone must be set");
        return sent(await textOtp(context, { ...request, phone, channel: channelOf(fields) }, callerOf(call)));
      },
    },
    {
      method: "POST",
      path: "/magiclink",
      access: "key",
      summary: "Mail a link that signs in: /otp as older clients know it.",
      bodyLimitBytes,
      async handle(call) {
        const fields = await askFor(call);
        const email = textField(fields, "email");
        const destination = destinationOf(settings, call, fields);
        await mailOtp(context, { email, createsUser: true, data: dataOf(fields), destination }, callerOf(call));
        return sent();
      },
    },
    {
      method: "POST",
      path: "/recover",
      access: "key",
      summary: "Mail a way in to whoever has lost the password.",
      bodyLimitBytes,
      async handle(call) {
        const fields = await askFor(call);
        const destination = destinationOf(settings, call, fields);
        await recover(context, { email: textField(fields, "email"), destination }, callerOf(call));
        return sent();
      },
    },
    {
      method: "POST",
      path: "/resend",
      access: "key",
      summary: "Send a confirmation again.",
      bodyLimitBytes,
      async handle(call) {
        const fields = await askFor(call);
        const [type, email, phone] = [
          textField(fields, "type"),
          textField(fields, "email"),
          textField(fields, "phone"),
        ];
        const destination = destinationOf(settings, call, fields);
        return sent(await resend(context, { type, email, phone, destination }, callerOf(call)));
      },
    },
    {
      method: ["GET", "POST"],
      path: "/reauthenticate",
      access: "caller",
      summary: "Send a nonce, which a change of password asks for.",
      bodyLimitBytes,
      handle: nonce,
    },
    {
      method: "POST",
      path: "/invite",
      access: "service",
      summary: "Invite somebody by mail.",
      bodyLimitBytes,
      async handle(call) {
        const fields = await readFields(call);
        const request = {
          email: textField(fields, "email"),
          data: dataOf(fields),
          redirectTo: redirectOf(settings, call, fields),
        };
        return json(userJson(await invite(context, request, callerOf(call))), 200, isPrivate);
      },
    },
    {
      method: "POST",
      path: "/admin/generate_link",
      access: "service",
      summary: "Make a link and a code without sending them.",
      bodyLimitBytes,
      async handle(call) {
        const fields = await readFields(call);
        const request = {
          type: textField(fields, "type"),
          email: textField(fields, "email"),
          newEmail: textField(fields, "new_email"),
          password: textField(fields, "password"),
          data: objectField(fields, "data", settings.metadataMaxBytes),
          redirectTo: redirectOf(settings, call, fields),
        };
        const made = await generateLink(context, request, callerOf(call));
        const link = {
          action_link: made.actionLink,
          email_otp: made.otp,
          hashed_token: made.token,
          verification_type: made.type,
          redirect_to: made.redirectTo,
        };
        return json({ ...userJson(made.user), ...link }, 200, isPrivate);
      },
    },
  ];
}
