import type { MailKind } from "./kinds.ts";

/** What one of our own mails says. Every text is a Go template for one paragraph. */
export interface DefaultMail {
  readonly subject: string;
  /** What mailboxes show beside the subject. */
  readonly preview: string;
  readonly title: string;
  readonly paragraphs: readonly string[];
  /** A table below them; lines whose variable is empty are left out. */
  readonly details?: readonly Detail[];
  /** Words on the button of the mail's link; left out, there is none. */
  readonly button?: string;
  /** Whether the mail has a code to type in. */
  readonly hasCode?: boolean;
  /** Small print: what to do when it was not you. */
  readonly otherwise: string;
}

/** A second factor as people call it. */
const factor =
  '{{ if eq .FactorType "totp" }}: an authenticator app{{ else if eq .FactorType "phone" }}: a phone number{{ else if eq .FactorType "webauthn" }}: a security key{{ end }}';
const ignoreIt = "If this was not you, ignore this mail: nothing happens without the code or the link.";
const reactNow =
  "If this was not you, change your password at once, sign out your other devices and tell whoever runs {{ .AppName }}.";

export interface Detail {
  readonly label: string;
  /** Of the template, without its dot. */
  readonly variable: string;
}

export const defaultMails: Readonly<Record<MailKind, DefaultMail>> = {
  confirmation: {
    subject: "Confirm your e-mail address for {{ .AppName }}",
    preview: "One step and your account is ready.",
    title: "Confirm your e-mail address",
    paragraphs: ["Welcome to {{ .AppName }}. Type this code in the app, or use the button, and your account is ready."],
    button: "Confirm address",
    hasCode: true,
    otherwise: "If you did not sign up, ignore this mail: without the code or the link there is no account.",
  },
  invite: {
    subject: "You are invited to {{ .AppName }}",
    preview: "An account is waiting for you.",
    title: "You are invited",
    paragraphs: [
      "Somebody at {{ .AppName }} has invited you to make an account with this e-mail address. Type this code in the app, or use the button.",
    ],
    button: "Accept the invitation",
    hasCode: true,
    otherwise: "If you did not expect this, ignore this mail: nothing happens without you.",
  },
  magic_link: {
    subject: "Sign in to {{ .AppName }}",
    preview: "Your code and your link.",
    title: "Sign in to {{ .AppName }}",
    paragraphs: ["Type this code in the app, or use the button on the device you sign in on."],
    button: "Sign in",
    hasCode: true,
    otherwise: `${ignoreIt} Never tell the code to anybody, not even to us.`,
  },
  recovery: {
    subject: "Set a new password for {{ .AppName }}",
    preview: "You asked for a new password.",
    title: "Set a new password",
    paragraphs: [
      "You asked for a new password at {{ .AppName }}. Type this code in the app, or use the button, and choose one.",
    ],
    button: "Choose a new password",
    hasCode: true,
    otherwise: "If you did not ask for this, ignore this mail: your password stays as it is.",
  },
  email_change: {
    subject: "Confirm your new e-mail address for {{ .AppName }}",
    preview: "Your address is about to change.",
    title: "Confirm the change of your address",
    paragraphs: [
      "{{ if .Email }}The e-mail address of your account at {{ .AppName }} is to change from {{ .Email }} to {{ .NewEmail }}.{{ else }}{{ .NewEmail }} is to be the e-mail address of your account at {{ .AppName }}.{{ end }}",
      "Type this code in the app, or use the button, to confirm it.",
    ],
    button: "Confirm the change",
    hasCode: true,
    otherwise: "If you did not ask for this, ignore this mail, and change your password: somebody else may know it.",
  },
  reauthentication: {
    subject: "Your code for {{ .AppName }}",
    preview: "Confirm that it is you.",
    title: "Confirm that it is you",
    paragraphs: ["Type this code in the app to go on with the change you have begun."],
    hasCode: true,
    otherwise: "If you have not begun a change, somebody else is signed in as you: change your password.",
  },
  password_changed: {
    subject: "Your password for {{ .AppName }} was changed",
    preview: "Was it you?",
    title: "Your password was changed",
    paragraphs: [
      "The password of your account {{ .Email }} at {{ .AppName }} has just been changed. There is nothing to do if it was you.",
    ],
    otherwise: "If this was not you, set a new password at once and tell whoever runs {{ .AppName }}.",
  },
  email_changed: {
    subject: "Your e-mail address for {{ .AppName }} was changed",
    preview: "Was it you?",
    title: "Your e-mail address was changed",
    paragraphs: [
      "The e-mail address of your account at {{ .AppName }} has been changed{{ with .OldEmail }} from {{ . }}{{ end }}{{ with .NewEmail }} to {{ . }}{{ end }}.",
    ],
    otherwise: reactNow,
  },
  phone_changed: {
    subject: "Your phone number for {{ .AppName }} was changed",
    preview: "Was it you?",
    title: "Your phone number was changed",
    paragraphs: [
      "The phone number of your account {{ .Email }} at {{ .AppName }} has been changed{{ with .OldPhone }} from +{{ . }}{{ end }}{{ with .Phone }} to +{{ . }}{{ end }}.",
    ],
    otherwise: reactNow,
  },
  identity_linked: {
    subject: "A way to sign in to {{ .AppName }} was added",
    preview: "Was it you?",
    title: "A way to sign in was added",
    paragraphs: [
      "Your account {{ .Email }} at {{ .AppName }} can now be signed in to with {{ or .ProviderName `another provider` }}.",
    ],
    otherwise: reactNow,
  },
  identity_unlinked: {
    subject: "A way to sign in to {{ .AppName }} was removed",
    preview: "Was it you?",
    title: "A way to sign in was removed",
    paragraphs: [
      "Your account {{ .Email }} at {{ .AppName }} can no longer be signed in to with {{ or .ProviderName `one of its providers` }}.",
    ],
    otherwise: reactNow,
  },
  mfa_factor_enrolled: {
    subject: "A second factor was added at {{ .AppName }}",
    preview: "Was it you?",
    title: "A second factor was added",
    paragraphs: [`Your account {{ .Email }} at {{ .AppName }} now has a second factor${factor}.`],
    otherwise: reactNow,
  },
  mfa_factor_unenrolled: {
    subject: "A second factor was removed at {{ .AppName }}",
    preview: "Was it you?",
    title: "A second factor was removed",
    paragraphs: [`A second factor of your account {{ .Email }} at {{ .AppName }} was removed${factor}.`],
    otherwise: reactNow,
  },
  passkey_added: {
    subject: "A passkey was added at {{ .AppName }}",
    preview: "Was it you?",
    title: "A passkey was added",
    paragraphs: [
      "Your account {{ .Email }} at {{ .AppName }} can now be signed in to with a passkey{{ with .PasskeyName }}: {{ . }}{{ end }}. There is nothing to do if it was you.",
    ],
    otherwise:
      "If this was not you, remove the passkey, change your password, sign out your other devices and tell whoever runs {{ .AppName }}.",
  },
  passkey_removed: {
    subject: "A passkey was removed at {{ .AppName }}",
    preview: "Was it you?",
    title: "A passkey was removed",
    paragraphs: [
      "A passkey of your account {{ .Email }} at {{ .AppName }} was removed{{ with .PasskeyName }}: {{ . }}{{ end }}. It no longer signs anybody in.",
    ],
    otherwise: reactNow,
  },
  new_device: {
    subject: "New sign-in to {{ .AppName }}",
    preview: "Was it you?",
    title: "New sign-in",
    paragraphs: [
      "Your account {{ .Email }} at {{ .AppName }} was signed in to from a device we have not seen before. There is nothing to do if it was you.",
    ],
    details: [
      { label: "Device", variable: "Device" },
      { label: "Network", variable: "Address" },
      { label: "Time", variable: "Time" },
    ],
    otherwise: reactNow,
  },
};
