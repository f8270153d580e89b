import { createSocket, type Socket } from "node:dgram";
import { createServer } from "node:net";

/** Below the ports the kernel hands out by itself, so that no socket takes one while its process is down. */
const PORT_FIRST = 20_000;
const PORT_LAST = 32_000;
const ATTEMPTS_MAX = 200;

/** `count` different ports of the loopback address that nobody listens on now, and that no other test is given. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) found.push(await freeBlock((first) => [first]));
  return found;
}

/**
 * The first port of a block (it, and those that go with it) that is free. It is this process's until that ends, though
 * whatever is given it may listen half a minute later only: as a claim, its UDP port is held.
 */
export async function freeBlock(blockOf: (first: number) => readonly number[]): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const first = PORT_FIRST + Math.floor(Math.random() * (PORT_LAST - PORT_FIRST));
    if (await claimAll(blockOf(first))) return first;
  }
  throw new Error("found no free ports");
}

async function claimAll(ports: readonly number[]): Promise<boolean> {
  const claims: Socket[] = [];
  for (const port of ports) {
    const claim = await claimPort(port);
    if (claim !== null) claims.push(claim);
    if (claim === null || !(await isFree(port))) {
      for (const made of claims) made.close();
      return false;
    }
  }
  return true;
}

/** Null when a process has it already, this one too. */
function claimPort(port: number): Promise<Socket | null> {
  return new Promise((done) => {
    const socket = createSocket("udp4");
    socket.once("error", () => done(null));
    socket.bind({ port, address: "127.0.0.1", exclusive: true }, () => done(socket.unref()));
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
  });
}
