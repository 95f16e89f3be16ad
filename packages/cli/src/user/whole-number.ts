import { InvalidArgumentError } from "commander";

/** Reads an option's number. */
export const wholeNumber =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d{1,9}$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`It is a whole number from ${min} to ${max.toLocaleString("en")}.`);
    }
    return value;
  };
