import type { AddressInfo } from "node:net";
import dynalite from "dynalite";
import type { AwsEndpoint } from "../../aws/aws-endpoint.ts";

/** Starts a DynamoDB in memory, on a port of its own, without tables. */
export async function startDynalite(): Promise<{ endpoint: AwsEndpoint; stop: () => Promise<void> }> {
  const server = dynalite({ createTableMs: 0 });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: {
      url: `http://127.0.0.1:${port}`,
      region: "us-east-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    },
    stop: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(() => done()));
    },
  };
}
