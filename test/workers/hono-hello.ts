import { env } from "cloudflare:workers";
import { Hono } from "hono";

/** The peer of `npm run bench -- edge`: one route that answers a constant. */
const { BODY: body, ROUTE: route } = env as unknown as { BODY: string; ROUTE: string };

const app = new Hono();
app.get(route, (context) => context.text(body));

export default app;
