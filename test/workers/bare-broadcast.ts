/** The least that an object can do for its sockets: hibernate, and send each the same text when told to. */
import { DurableObject } from "cloudflare:workers";

interface BareEnv {
  ROOM: DurableObjectNamespace<Broadcast>;
}

export class Broadcast extends DurableObject<BareEnv> {
  override async fetch(request: Request): Promise<Response> {
    if (request.headers.get("upgrade") === null) {
      const text = await request.text();
      for (const socket of this.ctx.getWebSockets()) socket.send(text);
      return new Response(null, { status: 204 });
    }
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    server.send('{"type":"hello"}');
    return new Response(null, { status: 101, webSocket: client });
  }
}

export default {
  fetch: (request, env) => env.ROOM.getByName("one").fetch(request),
} satisfies ExportedHandler<BareEnv>;
