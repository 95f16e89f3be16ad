import type { AuthServer, Reply } from "./server.ts";

/** One way in that asks for a user's token. */
export interface Entrance {
  readonly method: string;
  readonly path: string;
  /** Something it would take, so that only the token can be wrong. */
  readonly body?: unknown;
}

const id = "00000000-0000-4000-8000-000000000000";
const credential = { id: "AAAA", rawId: "AAAA", type: "public-key", response: {}, clientExtensionResults: {} };

/** Every call of one's own account. Nobody's ids in them: who it is comes first. */
export const ownEntrances: readonly Entrance[] = [
  { method: "GET", path: "/user" },
  { method: "PUT", path: "/user", body: { data: { touched: true } } },
  { method: "DELETE", path: "/user", body: { password: "x" } },
  { method: "GET", path: "/user/deletion-preview" },
  { method: "GET", path: "/user/export" },
  { method: "POST", path: "/user/export", body: { password: "x" } },
  { method: "GET", path: "/user/sessions" },
  { method: "DELETE", path: `/user/sessions/${id}` },
  { method: "GET", path: "/user/identities/authorize?provider=google&skip_http_redirect=true" },
  { method: "DELETE", path: `/user/identities/${id}` },
  { method: "GET", path: "/reauthenticate" },
  { method: "POST", path: "/reauthenticate" },
  { method: "GET", path: "/factors" },
  { method: "POST", path: "/factors", body: { factor_type: "totp" } },
  { method: "DELETE", path: `/factors/${id}` },
  { method: "POST", path: `/factors/${id}/challenge`, body: {} },
  { method: "POST", path: `/factors/${id}/verify`, body: { challenge_id: id, code: "000000" } },
  { method: "GET", path: "/factors/recovery-codes" },
  { method: "POST", path: "/factors/recovery-codes", body: {} },
  { method: "DELETE", path: "/factors/recovery-codes" },
  { method: "POST", path: "/factors/recovery-codes/regenerate", body: {} },
  { method: "POST", path: "/factors/recovery-codes/verify", body: { code: "x" } },
  { method: "POST", path: "/passkeys/registration/options", body: {} },
  { method: "POST", path: "/passkeys/registration/verify", body: { challenge_id: id, credential } },
  { method: "GET", path: "/passkeys" },
  { method: "PATCH", path: `/passkeys/${id}`, body: { friendly_name: "x" } },
  { method: "DELETE", path: `/passkeys/${id}` },
  { method: "POST", path: "/logout?scope=global" },
];

/** Every call for the service key alone. */
export const adminEntrances: readonly Entrance[] = [
  { method: "GET", path: "/admin/users" },
  { method: "POST", path: "/admin/users", body: { email: "made-by-nobody@example.com" } },
  { method: "GET", path: `/admin/users/${id}` },
  { method: "PUT", path: `/admin/users/${id}`, body: { password: "another horse 9" } },
  { method: "DELETE", path: `/admin/users/${id}` },
  { method: "GET", path: `/admin/users/${id}/factors` },
  { method: "PUT", path: `/admin/users/${id}/factors/${id}`, body: { friendly_name: "x" } },
  { method: "DELETE", path: `/admin/users/${id}/factors/${id}` },
  { method: "GET", path: `/admin/users/${id}/passkeys` },
  { method: "DELETE", path: `/admin/users/${id}/passkeys/${id}` },
  { method: "GET", path: `/admin/users/${id}/sessions` },
  { method: "DELETE", path: `/admin/users/${id}/sessions` },
  { method: "DELETE", path: `/admin/users/${id}/sessions/${id}` },
  { method: "GET", path: `/admin/users/${id}/deletion-preview` },
  { method: "GET", path: `/admin/users/${id}/export` },
  { method: "POST", path: "/admin/generate_link", body: { type: "magiclink", email: "made-by-nobody@example.com" } },
  { method: "GET", path: "/admin/audit" },
  { method: "POST", path: "/invite", body: { email: "made-by-nobody@example.com" } },
];

export const enter = (server: AuthServer, { method, path, body }: Entrance, token?: string): Promise<Reply> =>
  server.ask(method, path, { body, token });

export const nameOf = ({ method, path }: Entrance): string => `${method} ${path.replaceAll(id, ":id")}`;
