/** Those whose name is not the word we know them by, with a capital. */
const names: Readonly<Record<string, string>> = {
  azure: "Microsoft",
  github: "GitHub",
  gitlab: "GitLab",
  linkedin: "LinkedIn",
  workos: "WorkOS",
};

/** A provider as people call it: `linkedin_oidc` is LinkedIn, `custom:acme` is Acme. */
export function providerWords(provider: string): string {
  const name = provider.replace(/^custom:/, "").replace(/_oidc$/, "");
  return Object.hasOwn(names, name) ? (names[name] ?? name) : name.slice(0, 1).toUpperCase() + name.slice(1);
}
