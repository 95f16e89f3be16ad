/** The operator's base URL when there is one, else the service's own; without a slash at the end. */
export const baseOf = (url: string | null, own: string): string => (url ?? own).replace(/\/+$/, "");
