/** Writes the text around a code. */
export type WriteSms = (otp: string) => string;

/** A Go template that names the code `.Code`; GoTrue's older ones call it `.Token`. */
export function smsTemplate(source: string): WriteSms {
  return (otp) => source.replaceAll(/\{\{-?\s*\.(?:Code|Token)\s*-?\}\}/g, () => otp);
}
