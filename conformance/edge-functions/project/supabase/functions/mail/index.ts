// Its package is not installed.
import { Resend } from "npm:resend@4.0.0";

const resend = new Resend(Deno.env.get("RESEND_API_KEY"));

Deno.serve(async () => Response.json(await resend.emails.send({})));
