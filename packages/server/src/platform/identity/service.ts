import type { Principal } from "../../kernel/principal.ts";
import { keyPrincipal, serviceRole } from "./claims.ts";

/** The server itself, where it acts for nobody: as its secret key would. */
export const servicePrincipal = (): Principal => service;

const service = keyPrincipal(serviceRole, "anon");
