/** A TCP proxy before a server, which can be told to be slow: each answer is held back for a while. */
import { connect, createServer, type Socket } from "node:net";

export interface SlowProxy {
  port: number;
  /** Each piece of an answer is held back so long from now on, ms. */
  delayMs: number;
  /** Connections that are open, and the most there ever were at once. */
  open(): number;
  peak(): number;
  close(): Promise<void>;
}

export async function startSlowProxy(target: { host: string; port: number }): Promise<SlowProxy> {
  const sockets = new Set<Socket>();
  let open = 0;
  let peak = 0;
  const server = createServer((client) => {
    open += 1;
    peak = Math.max(peak, open);
    const upstream = connect(target.port, target.host);
    for (const end of [client, upstream]) {
      sockets.add(end);
      end.on("error", () => undefined);
    }
    client.pipe(upstream);
    upstream.on("data", (piece: Buffer) => {
      if (proxy.delayMs === 0) client.write(piece);
      else setTimeout(() => client.destroyed || client.write(piece), proxy.delayMs);
    });
    upstream.once("close", () => client.destroy());
    client.once("close", () => {
      open -= 1;
      upstream.destroy();
      for (const end of [client, upstream]) sockets.delete(end);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const proxy: SlowProxy = {
    port: address.port,
    delayMs: 0,
    open: () => open,
    peak: () => peak,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return proxy;
}
