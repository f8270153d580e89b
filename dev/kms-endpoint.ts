/** Child of the supervisor: the local KMS. What it must keep secret comes by its first message. */
import { createKmsServer } from "./kms-server.ts";
import { Keyring } from "./kms-keyring.ts";
import { stopServerOnSignal } from "./stop-on-signal.ts";

export interface KmsConfig {
  port: number;
  ringPath: string;
  aliases: string[];
  accessKeyId: string;
}

// The guard of exit-with-parent.ts lets go of the channel; here it is what there is to wait for.
process.channel?.ref();
process.once("message", ({ port, ringPath, aliases, accessKeyId }: KmsConfig) => {
  const server = createKmsServer(new Keyring({ path: ringPath, aliases, nowMs: Date.now }), accessKeyId);
  stopServerOnSignal(server);
  server.listen(port, "127.0.0.1", () => process.send?.({ type: "ready" }));
});
