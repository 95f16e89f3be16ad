// As guides take in what Stripe sends, with its package from npm: https://supabase.com/docs/guides/functions/examples/stripe-webhooks
import Stripe from "https://esm.sh/stripe@14?target=denonext";

const stripe = new Stripe(Deno.env.get("STRIPE_API_KEY") as string, { apiVersion: "2024-11-20" });
const cryptoProvider = Stripe.createSubtleCryptoProvider();

Deno.serve(async (request) => {
  const signature = request.headers.get("Stripe-Signature");
  const body = await request.text();
  try {
    const receivedEvent = await stripe.webhooks.constructEventAsync(
      body,
      signature!,
      Deno.env.get("STRIPE_WEBHOOK_SIGNING_SECRET")!,
      undefined,
      cryptoProvider,
    );
    return new Response(JSON.stringify({ ok: true, id: receivedEvent.id }), { status: 200 });
  } catch (err) {
    return new Response((err as Error).message, { status: 400 });
  }
});
