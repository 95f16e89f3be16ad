/** As much of Stripe's package as guides use: the signature of a webhook, https://docs.stripe.com/webhooks#verify-manually. */
export default class Stripe {
  static createSubtleCryptoProvider() {
    return {
      async computeHmacHex(text, secret) {
        const encode = (given) => new TextEncoder().encode(given);
        const key = await crypto.subtle.importKey("raw", encode(secret), { name: "HMAC", hash: "SHA-256" }, false, [
          "sign",
        ]);
        const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", key, encode(text)));
        return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      },
    };
  }

  webhooks = {
    async constructEventAsync(body, header, secret, _tolerance, provider) {
      const { t, v1 } = Object.fromEntries((header ?? "").split(",").map((part) => part.split("=")));
      if ((await provider.computeHmacHex(`${t}.${body}`, secret)) !== v1) {
        throw new Error("No signatures found matching the expected signature for payload.");
      }
      return JSON.parse(body);
    },
  };
}
