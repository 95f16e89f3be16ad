/** What went wrong, in a sentence for whoever runs the server. Anything can be thrown, so it may be no error. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
