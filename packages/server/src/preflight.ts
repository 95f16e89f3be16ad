import { assertBlobStore, checkBlobStore } from "./adapters/blobs/index.ts";
import { openScanner } from "./adapters/scanner/index.ts";
import { smsGateway } from "./adapters/sms/index.ts";
import { checkMailServer as askMailServer, smtpTransport } from "./adapters/smtp/index.ts";
import { type AuthSettings, authSettingErrors, hasInbox, settingErrorOf } from "./capabilities/auth/index.ts";
import { openCipher } from "./capabilities/storage/index.ts";
import { webhookGuard } from "./capabilities/webhooks/index.ts";
import type { Config } from "./config.ts";
import { type Clock, systemClock } from "./kernel/clock.ts";
import { localUrl } from "./kernel/local-url.ts";
import { isLoopback } from "./kernel/loopback.ts";
import { reasonOf } from "./kernel/reason.ts";
import type { SettingError } from "./kernel/settings.ts";

export { enabledProviders, idleProviders } from "./capabilities/auth/index.ts";
export { isLoopback } from "./kernel/loopback.ts";

// What can be known of a configuration without starting it: for the start itself, which is to fail early, and for `mainstay doctor`.

/** The settings of sign-in as they are in force: what follows from others is filled in. */
export function authSettingsOf(config: Config): AuthSettings {
  return { ...config.auth, publicUrl: publicUrlOf(config), mailerAutoconfirm: mailerAutoconfirmOf(config) };
}

/** Where apps reach the server: as set, or where it listens. Tokens name it as their issuer. */
function publicUrlOf({ auth, http, origins }: Config): string {
  if (origins.auth.publicUrl !== "default" || http.port === 0) return auth.publicUrl;
  return localUrl(http.host, http.port);
}

/**
 * Whether addresses count as confirmed at once. Unless somebody has said, that is so as long as no mail can leave: else nobody
 * could sign up; and from then on that it can, nobody gets in with an address of somebody else.
 */
function mailerAutoconfirmOf({ auth, origins }: Config): boolean {
  if (origins.auth.mailerAutoconfirm !== "default") return auth.mailerAutoconfirm;
  return auth.smtpHost === null && !auth.sendEmailHookEnabled;
}

/** Whether others than this machine reach the server: by itself, or through a proxy that has its public URL. */
export function isPublic(config: Config): boolean {
  const { publicUrl } = authSettingsOf(config);
  return !isLoopback(config.http.host) || !URL.canParse(publicUrl) || !isLoopback(new URL(publicUrl).hostname);
}

/** Everything in the settings that would keep a server from starting, all of it at once. Nothing is opened or asked. */
export function settingErrors(
  config: Config,
  how: {
    /** True under `mainstay dev`. */
    readonly isDevelopment: boolean;
    readonly clock?: Clock;
  },
): readonly SettingError[] {
  const settings = authSettingsOf(config);
  const { isDevelopment, clock = systemClock } = how;
  return [
    ...authSettingErrors(settings, clock),
    // A transport that is made connects when there is a mail.
    ...settingErrorOf(() => smtpTransport(settings)?.close()),
    ...settingErrorOf(() => smsGateway(settings)),
    ...settingErrorOf(() => assertBlobStore(config.storage)),
    ...settingErrorOf(() => (config.storage.storageEnabled ? openCipher(config.storage) : null)),
    ...settingErrorOf(() => webhookGuard(config.webhooks.webhookAllowedHosts)),
    ...settingErrorOf(() => hasInbox({ settings, isDevelopment, host: config.http.host })),
  ];
}

/**
 * Connects to the mail server, encrypts and logs in as for a mail, and sends none.
 * @returns what went wrong, in a sentence; `null` when it would take mails, or none is set
 */
export const checkMailServer = (config: Config): Promise<string | null> => askMailServer(config.auth);

/**
 * Writes a blob to the bucket that files are in, reads it, and takes it away.
 * @returns what went wrong, in a sentence; `null` when nothing did, or files are in a folder
 */
export const checkFileStore = (config: Config): Promise<string | null> => checkBlobStore(config.storage);

/**
 * Gives the scanner a harmless file.
 * @returns what went wrong, in a sentence; `null` when it found nothing, or none is set
 */
export async function checkScanner(config: Config): Promise<string | null> {
  const scanner = openScanner(config.storage);
  if (scanner === null) return null;
  try {
    const verdict = await scanner.scan(harmless());
    return verdict.isClean ? null : `it finds ${verdict.finding} in a file that has nothing.`;
  } catch (error) {
    return reasonOf(error instanceof Error && error.cause !== undefined ? error.cause : error);
  } finally {
    await scanner.close();
  }
}

async function* harmless(): AsyncGenerator<Buffer> {
  yield Buffer.from("Nothing to see here.");
}

/** @returns why images cannot be transformed on this machine, in a sentence; `null` when they can be */
export async function checkImages(): Promise<string | null> {
  try {
    await import("sharp");
    return null;
  } catch (error) {
    return reasonOf(error).split("\n")[0] ?? "";
  }
}
