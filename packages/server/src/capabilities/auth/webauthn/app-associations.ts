import { json, type Route, type RouteGroup } from "../../../kernel/route.ts";
import { gatewayCors, problemJson } from "../../../platform/http/index.ts";
import type { AuthSettings } from "../context.ts";
import { parseAndroidApps, parseAppleAppIds } from "./mobile-apps.ts";

/** Apple's and Google's servers fetch these for their devices, and keep them for a day whatever is said here. */
const isPublic = ["Cache-Control", "public, max-age=3600"];

/**
 * Which apps may use this domain's passkeys, where phones look for it: at the root of the relying party's domain. Where that is
 * another server, it has to answer with the same documents. `null` when no app is named.
 * @throws SettingError for an entry that names no app
 */
export function appAssociations(settings: Pick<AuthSettings, "appleAppIds" | "androidApps">): RouteGroup | null {
  const apple = parseAppleAppIds(settings.appleAppIds);
  const android = parseAndroidApps(settings.androidApps);
  const routes: Route[] = [];
  if (apple.length > 0) {
    // Apple, Supporting associated domains.
    const document = { webcredentials: { apps: apple } };
    routes.push({
      method: "GET",
      path: "/.well-known/apple-app-site-association",
      access: "open",
      summary: "Apple apps that share this domain's passkeys.",
      handle: () => json(document, 200, isPublic),
    });
  }
  if (android.length > 0) {
    // Android, Credential Manager, Prerequisites: passkeys need both relations.
    const relation = ["delegate_permission/common.handle_all_urls", "delegate_permission/common.get_login_creds"];
    const document = android.map((app) => ({
      relation,
      target: {
        namespace: "android_app",
        package_name: app.package,
        sha256_cert_fingerprints: [app.fingerprint],
      },
    }));
    routes.push({
      method: "GET",
      path: "/.well-known/assetlinks.json",
      access: "open",
      summary: "Android apps that share this domain's passkeys.",
      handle: () => json(document, 200, isPublic),
    });
  }
  return routes.length === 0 ? null : { mount: "", boundary: problemJson, cors: gatewayCors, routes };
}
