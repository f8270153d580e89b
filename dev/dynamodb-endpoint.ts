/** Child of the supervisor: a local DynamoDB (dynalite over LevelDB), kept in the data directory. */
import dynalite from "dynalite";
import { stopServerOnSignal } from "./stop-on-signal.ts";

export interface DynamoDbConfig {
  port: number;
  path: string;
}

process.channel?.ref();
process.once("message", ({ port, path }: DynamoDbConfig) => {
  const server = dynalite({ path, createTableMs: 0 });
  stopServerOnSignal(server);
  server.listen(port, "127.0.0.1", () => process.send?.({ type: "ready" }));
});
