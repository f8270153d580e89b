import type { Server } from "node:http";

/** What the requests on the way may take once the process was asked to stop. */
const STOP_MS = 2_000;

/** A child's way to stop: closes its server when asked to, then ends; ends at once when the port cannot be had. */
export function stopServerOnSignal(server: Server): void {
  server.once("error", (error) => {
    console.error(error);
    process.exit(1);
  });
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.once(name, () => {
      setTimeout(() => process.exit(0), STOP_MS).unref();
      server.close(() => process.exit(0));
      server.closeAllConnections();
    });
  }
}
