/** A form (`application/x-www-form-urlencoded`) as one JSON object of strings; of a repeated name the last counts. */
export function formToJson(text: string): Buffer {
  const values = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) values.set(name, value);
  const pairs = [...values].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  return Buffer.from(`{${pairs.join(",")}}`);
}
