export { createFunctionHost, type HostNeeds } from "./host.ts";
