/** What others have written must not move the cursor of whoever reads it, nor colour anything: one line. */
export const printable = (text: string): string => text.replace(/\p{Cc}+/gu, " ");

/** The same for text of several lines, which stay lines; further ones are indented. */
export const printableLines = (text: string, indent: string): string =>
  text
    .replace(/\r\n?/g, "\n")
    .split("\n")
    .map((line) => line.replace(/\t/g, "  ").replace(/\p{Cc}+/gu, " "))
    .join(`\n${indent}`);
