import { createServer } from "node:net";
import { StartRefusal, systemErrorCode } from "./refusal.ts";

const PORT_FIRST = 10_000;
const PORT_COUNT = 10_000;
const PORT_ATTEMPTS_MAX = 200;

export interface WantedPort {
  port: number;
  /** The environment variable that moves it. */
  variable: string;
  /** What to do when it is taken, where setting the variable is not enough. */
  wayOut?: string;
}

/**
 * Refuses to start when a port is wanted twice or taken, on either loopback address: a stranger on `[::1]` would
 * answer for `localhost` although ours listens on 127.0.0.1.
 */
export async function checkPorts(wanted: readonly WantedPort[]): Promise<void> {
  for (const [i, { port, variable }] of wanted.entries()) {
    const twin = wanted.slice(0, i).find((other) => other.port === port);
    if (twin) throw new StartRefusal(`${twin.variable} and ${variable} both name port ${port}.`);
  }
  for (const { port, variable, wayOut = `set ${variable} to a free one` } of wanted) {
    const trouble = (await tryToListen(port, "127.0.0.1")) ?? (await tryToListen(port, "::1"));
    if (trouble === "EACCES")
      throw new StartRefusal(`Port ${port} needs privileges; set ${variable} to one above 1023.`);
    if (trouble !== null) throw new StartRefusal(`Port ${port} is taken by another program; ${wayOut}.`);
  }
}

/**
 * A port nobody listens on at this moment; the caller must still be ready to lose it. Of those that the kernel gives to no
 * connection on its way out: one of them could have taken it by the time it is listened on.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < PORT_ATTEMPTS_MAX; attempt += 1) {
    const port = PORT_FIRST + Math.floor(Math.random() * PORT_COUNT);
    if (await isPortFree(port)) return port;
  }
  throw new StartRefusal(`No port from ${PORT_FIRST} to ${PORT_FIRST + PORT_COUNT - 1} was found free.`);
}

/** Whether anyone listens on `port` of 127.0.0.1. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await tryToListen(port, "127.0.0.1")) === null;
}

/** Null when `port` can be listened on or the machine has no such address; otherwise the system's error code. */
function tryToListen(port: number, host: string): Promise<string | null> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", (error) => {
      const code = systemErrorCode(error);
      done(code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT" ? null : code);
    });
    server.listen({ port, host, exclusive: true }, () => server.close(() => done(null)));
  });
}
