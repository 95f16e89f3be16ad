import { problems } from "./problems.ts";

/** Longest name of an object, in characters. */
const maxKeyChars = 1_024;
const maxBucketChars = 100;
const keyChars = /^[A-Za-z0-9_/!.*'() &$=@;:+,?-]+$/;
const bucketChars = /^[A-Za-z0-9_!.*'() &$=@;:+,?-]+$/;
/** A step up, or on the spot: nothing here walks a path, but a client or a proxy might (threat S01). */
const hasDots = /(?:^|\/)\.{1,2}(?:\/|$)/;
const hasDrive = /^[A-Za-z]:\//;

/** Whether an object may be called that (protocols: limits). */
export function isKey(key: string): boolean {
  return (
    key.length > 0 &&
    key.length <= maxKeyChars &&
    keyChars.test(key) &&
    !key.startsWith("/") &&
    !hasDots.test(key) &&
    !hasDrive.test(key)
  );
}

/** The name of an object, as a request gives it. @throws Problem `InvalidKey` */
export function readKey(key: string): string {
  // What is refused is echoed, and no more of it than a name can have.
  if (!isKey(key)) throw problems.invalidKey(key.slice(0, maxKeyChars));
  return key;
}

/** Whether a bucket may be called that. */
export function isBucketId(id: string): boolean {
  return (
    id.length > 0 && id.length <= maxBucketChars && bucketChars.test(id) && !/^\.{1,2}$/.test(id) && id.trim() === id
  );
}

/** The name of a bucket that is to be made. @throws Problem `InvalidBucketName` */
export function readBucketId(id: string): string {
  if (!isBucketId(id)) throw problems.invalidBucketName();
  return id;
}
