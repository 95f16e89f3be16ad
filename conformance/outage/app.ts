import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import { Ledger } from "./ledger.ts";
import { Phone } from "./listener.ts";
import { type Network, openNetwork } from "./network.ts";
import { Project, type Server } from "./server.ts";

/** A project that is served, people with phones, and somebody with SQL. */
export interface Outage {
  readonly project: Project;
  readonly server: Server;
  readonly sql: Ledger;
  readonly databaseUrl: string;
  /** Somebody new, signed up, and the network that this phone alone goes through; to the first server unless told otherwise. */
  phone(options?: {
    readonly isUnhurried?: boolean;
    readonly port?: number;
  }): Promise<Phone & { readonly network: Network }>;
  /** The app of `former`'s session, started anew. */
  reloaded(former: Phone): Promise<Phone>;
  /** Another server of the same project. */
  another(): Promise<Server>;
  stop(): Promise<void>;
}

/**
 * @param env settings of the servers
 * @param databaseUrl `embedded`: the project's own; `undefined`: a new one in the PostgreSQL of the run
 */
export async function startOutage(env: Readonly<Record<string, string>> = {}, databaseUrl?: string): Promise<Outage> {
  let own: TestDatabase | null = null;
  if (databaseUrl === undefined) own = await testDatabase(await templateDatabase());
  const given = own?.url ?? databaseUrl;
  const project = await Project.make({
    MAINSTAY_PASSWORD_HASH_MEMORY_KIB: "7168",
    ...(given === undefined || given === "embedded" ? {} : { DATABASE_URL: given }),
    ...env,
  });
  const server = await project.serve();
  const { anonKey } = await project.keys();
  const url = given === undefined || given === "embedded" ? await project.databaseUrl() : given;
  const sql = new Ledger(url);
  const phones: Phone[] = [];
  const networks: Network[] = [];
  return {
    project,
    server,
    sql,
    databaseUrl: url,
    async phone({ isUnhurried = false, port = server.port } = {}) {
      const network = await openNetwork(port);
      networks.push(network);
      const phone = await new Phone({ url: network.url, anonKey, isUnhurried }).signUp();
      phones.push(phone);
      return Object.assign(phone, { network });
    },
    async reloaded(former) {
      const phone = await new Phone({ url: server.url, anonKey }).reload(former);
      phones.push(phone);
      return phone;
    },
    another: () => project.serve(),
    async stop() {
      for (const network of networks) network.restore();
      await Promise.all(phones.map((phone) => phone.leave()));
      for (const network of networks) await network.stop();
      await sql.close();
      await project.remove();
      await own?.drop();
    },
  };
}
