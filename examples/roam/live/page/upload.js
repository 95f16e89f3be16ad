/** What is sent at once, in bytes. A connection that breaks costs no more than this. */
const chunkSize = 512 * 1024;
/** Between tries while the network is away, in ms: about a minute in all. */
const retryDelays = [0, 1_000, 3_000, 5_000, 10_000, 20_000, 20_000];

/** What people are told; anything else is told as the server says it. */
const refusals = {
  403: "Photos come from guests: book a walk first.",
  413: "A photo may have 15 MB.",
  415: "A photo is a JPEG, PNG, WebP or AVIF.",
};

/**
 * Adds a photo to a review, in pieces: it goes on where it was after a tunnel, and after a reload when the same file is chosen again.
 * `ended` gives `null`, or why it did not come to be.
 */
export function uploadPhoto(client, { url }, review, file, onProgress) {
  const ending = file.name.split(".").at(-1).toLowerCase();
  let upload;
  const ended = new Promise((resolve) => {
    upload = new globalThis.tus.Upload(file, {
      endpoint: `${url}/storage/v1/upload/resumable`,
      chunkSize,
      retryDelays,
      removeFingerprintOnSuccess: true,
      metadata: {
        bucketName: "review-photos",
        objectName: `${review}/${crypto.randomUUID()}.${ending}`,
        contentType: file.type,
        cacheControl: "31536000",
      },
      // A token lives an hour, an upload over a bad network longer.
      async onBeforeRequest(request) {
        const { data } = await client.auth.getSession();
        request.setHeader("Authorization", `Bearer ${data.session?.access_token}`);
      },
      onProgress: (sent, all) => onProgress(sent / all),
      onSuccess: () => resolve(null),
      onError: (error) => resolve(refusals[error.originalResponse?.getStatus()] ?? error.message),
    });
  });
  // Whether it was begun before does not hold it up.
  upload.findPreviousUploads().then(([before]) => {
    if (before) upload.resumeFromPreviousUpload(before);
    upload.start();
  });
  return { ended, pause: () => void upload.abort(), resume: () => upload.start() };
}
