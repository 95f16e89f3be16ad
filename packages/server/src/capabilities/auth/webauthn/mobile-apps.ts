import { SettingError } from "../../../kernel/settings.ts";

/** An Android app, known by its package and the certificate it is signed with. */
export interface AndroidApp {
  readonly package: string;
  /** SHA-256 of the certificate: `AB:CD:…`, 32 bytes in upper case. */
  readonly fingerprint: string;
}

const androidApp = /^([A-Za-z]\w*(?:\.[A-Za-z]\w*)+)=([0-9A-Fa-f]{2}(?::?[0-9A-Fa-f]{2}){31})$/;

/** A team's id or, for older apps, their own prefix; then the bundle's id (Apple, Supporting associated domains). */
const appleAppId = /^[A-Z0-9]{10}\.[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/;

/** @throws SettingError naming the entry that is none: a typing error must not quietly lock an app out */
export function parseAndroidApps(entries: readonly string[]): readonly AndroidApp[] {
  return entries.map((entry) => {
    const match = androidApp.exec(entry);
    if (match === null)
      throw new SettingError(`androidApps: "${entry}" is not package=SHA-256 of the signing certificate.`);
    const bytes = match[2]!.replaceAll(":", "").toUpperCase().match(/../g)!;
    return { package: match[1]!, fingerprint: bytes.join(":") };
  });
}

/** @throws SettingError naming the entry that is none */
export function parseAppleAppIds(entries: readonly string[]): readonly string[] {
  for (const entry of entries) {
    if (!appleAppId.test(entry)) throw new SettingError(`appleAppIds: "${entry}" is not TEAMID.bundle.id.`);
  }
  return entries;
}

/** What an Android app calls itself in client data (Android Credential Manager, Verify the origin). */
export function androidOriginOf({ fingerprint }: AndroidApp): string {
  return `android:apk-key-hash:${Buffer.from(fingerprint.replaceAll(":", ""), "hex").toString("base64url")}`;
}
