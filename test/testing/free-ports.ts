import { createServer } from "node:net";

/** Below the ports the kernel hands out by itself, so that no socket takes one while its process is down. */
export const PORT_FIRST = 20_000;
export const PORT_LAST = 32_000;
const ATTEMPTS_MAX = 200;

/** `count` different ports of the loopback address that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let attempt = 0; found.size < count && attempt < ATTEMPTS_MAX; attempt += 1) {
    const port = PORT_FIRST + Math.floor(Math.random() * (PORT_LAST - PORT_FIRST));
    if (await isFree(port)) found.add(port);
  }
  if (found.size < count) throw new Error(`found no ${count} free ports`);
  return [...found];
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
  });
}
