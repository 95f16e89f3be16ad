import type { RouteGroup } from "../../../kernel/route.ts";
import { SettingError } from "../../../kernel/settings.ts";
import { isBucketId } from "../names.ts";
import type { StorageCore, StoragePart } from "../part.ts";
import { siteBoundary } from "./boundary.ts";
import { bucketSource } from "./bucket-source.ts";
import { folderSource } from "./folder-source.ts";
import { answer, type Site } from "./site.ts";
import type { SiteSource } from "./types.ts";

/** Web sites: the project's own folder, and public buckets. @throws SettingError for names that cannot be served */
export function sitesPart(core: StorageCore): StoragePart {
  const { settings, siteFolder = null } = core;
  const siteOf = (source: SiteSource): Site => ({ source, fallback: settings.storageSiteFallback });
  return {
    groups: [
      ...readSiteHosts(settings.storageSiteHosts).map(({ host, bucket }) => ({
        ...groupOf("", siteOf(bucketSource(core, bucket))),
        hosts: [host],
      })),
      ...settings.storageTrustedSites.map((bucket) => {
        if (!/^[A-Za-z0-9_-]{1,100}$/.test(bucket)) {
          throw new SettingError(
            `MAINSTAY_STORAGE_TRUSTED_SITES: a bucket named ${JSON.stringify(bucket)} has no place in a path.`,
          );
        }
        return groupOf(`/site/${bucket}`, siteOf(bucketSource(core, bucket)));
      }),
      ...(settings.storageSiteFolder && siteFolder !== null ? [groupOf("", siteOf(folderSource(siteFolder)))] : []),
    ],
  };
}

/** All addresses below a mount. No page of another origin may read them: scripts of a site are its own. */
function groupOf(mount: string, site: Site): RouteGroup {
  const route = (path: string) => ({
    method: "GET" as const,
    path,
    access: "open" as const,
    summary: "A file of a web site.",
    handle: (call: Parameters<typeof answer>[0]) => answer(call, call.path.slice(mount.length), site),
  });
  return { mount, boundary: siteBoundary, cors: null, routes: mount === "" ? [route("*")] : [route("/"), route("/*")] };
}

/** `files.example.com=bucket`, each. @throws SettingError */
export function readSiteHosts(
  entries: readonly string[],
): readonly { readonly host: string; readonly bucket: string }[] {
  const hosts = entries.map((entry) => {
    const at = entry.indexOf("=");
    const host = entry.slice(0, Math.max(0, at)).trim().toLowerCase();
    const bucket = entry.slice(at + 1).trim();
    if (!/^(?=.{1,253}$)[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(host) || !isBucketId(bucket)) {
      throw new SettingError(
        `MAINSTAY_STORAGE_SITE_HOSTS must be a list of HOST=BUCKET, host names without port, not ${JSON.stringify(entry)}.`,
      );
    }
    return { host, bucket };
  });
  const twice = hosts.find(({ host }, at) => hosts.findIndex((other) => other.host === host) !== at);
  if (twice !== undefined) throw new SettingError(`MAINSTAY_STORAGE_SITE_HOSTS names ${twice.host} twice.`);
  return hosts;
}
