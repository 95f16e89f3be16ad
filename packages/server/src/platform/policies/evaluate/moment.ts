/** PostgreSQL's ISO format; anything else is another DateStyle, and not read. */
const isoDate = /^(\d{4,7})-(\d\d)-(\d\d)/;
const isoTime = /^ (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?$/;

type Moment = bigint | "infinity" | "-infinity" | undefined;

const dayUs = 86_400_000_000n;

/** Unix microseconds of `2024-05-01 12:00:00.123+02`, `… BC`, `infinity`. */
export function timestampUs(text: string, hasZone: boolean): Moment {
  if (text === "infinity" || text === "-infinity") return text;
  const isBc = text.endsWith(" BC");
  const plain = isBc ? text.slice(0, -3) : text;
  const date = isoDate.exec(plain);
  const time = date && isoTime.exec(plain.slice(date[0].length));
  if (!time) return undefined;
  const [, hours, minutes, seconds, fraction = "", sign, zoneHours = "0", zoneMinutes = "0", zoneSeconds = "0"] = time;
  if ((sign !== undefined) !== hasZone) return undefined;
  const dayOf = days(date, isBc);
  const ofDay = BigInt(hours!) * 3600n + BigInt(minutes!) * 60n + BigInt(seconds!);
  const zone = BigInt(zoneHours) * 3600n + BigInt(zoneMinutes) * 60n + BigInt(zoneSeconds);
  const local = dayOf * dayUs + ofDay * 1_000_000n + BigInt(fraction.padEnd(6, "0"));
  return local - (sign === "-" ? -zone : zone) * 1_000_000n;
}

/** Days since 1970-01-01. */
export function dateDays(text: string): Moment {
  if (text === "infinity" || text === "-infinity") return text;
  const isBc = text.endsWith(" BC");
  const plain = isBc ? text.slice(0, -3) : text;
  const date = isoDate.exec(plain);
  return date && date[0] === plain ? days(date, isBc) : undefined;
}

/** The proleptic Gregorian calendar, without a limit of years (1 BC is the year 0). */
function days([, y, m, d]: RegExpExecArray, isBc: boolean): bigint {
  const [month, day] = [Number(m), Number(d)];
  // From March on, so that the leap day is the last of its year.
  const year = (isBc ? 1 - Number(y) : Number(y)) - (month <= 2 ? 1 : 0);
  const era = Math.floor(year / 400);
  const yearOfEra = year - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return BigInt(era) * 146_097n + BigInt(dayOfEra) - 719_468n;
}
