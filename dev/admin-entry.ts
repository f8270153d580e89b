/**
 * The admin Worker of the local stack: what is deployed, except for where a request comes from. Cloudflare says so in
 * `cf-connecting-ip`; here nobody does, a client could write it itself, and the socket listens on loopback alone.
 */
import admin from "../workers/admin/main.ts";

export { RequestWindow } from "../workers/admin/main.ts";

type AdminEnv = Parameters<typeof admin.fetch>[1];
const LOOPBACK = "127.0.0.1";

export default {
  fetch(request, env, ctx) {
    const headers = new Headers(request.headers);
    headers.set("cf-connecting-ip", LOOPBACK);
    return admin.fetch(new Request(request, { headers }), env, ctx);
  },
  queue: admin.queue,
} satisfies ExportedHandler<AdminEnv>;
