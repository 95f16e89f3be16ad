/** A role as `pg_roles` has it. */
export interface RoleRow {
  readonly oid: number;
  readonly name: string;
  readonly isSuperuser: boolean;
  readonly bypassesRowSecurity: boolean;
}

export interface MembershipRow {
  readonly roleOid: number;
  readonly memberOid: number;
  /** The member has the role's privileges without taking it on (`WITH INHERIT`; before PostgreSQL 16 the member's own `INHERIT`). */
  readonly inherits: boolean;
}

export interface Role extends RoleRow {
  /** Whether it has the privileges of a role: its own, those it inherits, PUBLIC's (0). A superuser has all. */
  has(oid: number): boolean;
}

/** Everybody. */
const publicOid = 0;
/** Roles that come with PostgreSQL have fixed numbers (`pg_authid.dat`). */
const databaseOwnerOid = 6171;
export const readAllDataOid = 6181;

/** Who has whose privileges, as `pg_has_role(…, 'usage')` would say. Immutable. */
export class Roles {
  readonly #byName: ReadonlyMap<string, RoleRow>;
  readonly #above: ReadonlyMap<number, readonly number[]>;
  readonly #databaseOwner: number;
  readonly #settled = new Map<string, Role>();

  constructor(roles: readonly RoleRow[], memberships: readonly MembershipRow[], databaseOwner: number) {
    this.#byName = new Map(roles.map((role) => [role.name, role]));
    const above = new Map<number, number[]>();
    for (const { roleOid, memberOid, inherits } of memberships) {
      if (inherits) above.set(memberOid, [...(above.get(memberOid) ?? []), roleOid]);
    }
    this.#above = above;
    this.#databaseOwner = databaseOwner;
  }

  /** `null` when there is none of this name. */
  named(name: string): Role | null {
    const known = this.#settled.get(name);
    if (known !== undefined) return known;
    const row = this.#byName.get(name);
    if (row === undefined) return null;
    const held = this.#heldBy(row.oid);
    const role: Role = { ...row, has: (oid) => row.isSuperuser || held.has(oid) };
    this.#settled.set(name, role);
    return role;
  }

  #heldBy(oid: number): ReadonlySet<number> {
    const held = new Set([publicOid, oid]);
    const open = [oid];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      // Whoever owns the database is a member of the role by that name, without a row that says so.
      const implied = at === this.#databaseOwner ? [databaseOwnerOid] : [];
      for (const above of [...(this.#above.get(at) ?? []), ...implied]) {
        if (held.has(above)) continue;
        held.add(above);
        open.push(above);
      }
    }
    return held;
  }
}
