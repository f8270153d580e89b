/**
 * What edge and watch ask besides the core, for `npm run bench -- watch`: a region's KV namespace, as the runtime asks
 * it, and the admin Worker's key set.
 */
interface StandInEnv {
  JWKS: string;
}

const values = new Map<string, ArrayBuffer>();

export const kv = {
  async fetch(request) {
    const key = decodeURIComponent(new URL(request.url).pathname.slice(1));
    if (request.method === "PUT") {
      values.set(key, await request.arrayBuffer());
      return new Response(null);
    }
    const value = values.get(key);
    return value === undefined ? new Response("not found", { status: 404 }) : new Response(value);
  },
} satisfies ExportedHandler<StandInEnv>;

export default {
  fetch: (_, { JWKS }) => new Response(JWKS, { headers: { "content-type": "application/json" } }),
} satisfies ExportedHandler<StandInEnv>;
