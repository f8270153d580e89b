/** The part of dynalite that we use; it brings no types. */
declare module "dynalite" {
  import type { Server } from "node:http";

  /** A DynamoDB endpoint that does not listen yet. `path`: where LevelDB keeps its files; left out: in memory. */
  export default function dynalite(options: { path?: string; createTableMs?: number }): Server;
}
