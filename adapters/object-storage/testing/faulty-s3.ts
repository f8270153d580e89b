import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { startFauxqs } from "fauxqs";
import type { AwsEndpoint } from "../../aws/aws-endpoint.ts";
import { S3ObjectStorage } from "../s3-object-storage.ts";

/**
 * What becomes of a request. `hang_up`: the connection ends without an answer. `silence`: nothing comes. `error`: 500.
 * `deny`: 403. `cut_off`: half of the answer, then the connection ends. `half_silence`: half of it, then nothing.
 * `garbled`: one of its bytes is another. `changed` and `shorter` (half of it, as if that were all): so is what is stored,
 * as far as S3's own checksum goes.
 */
export type S3Fault =
  | "hang_up"
  | "silence"
  | "error"
  | "deny"
  | "cut_off"
  | "half_silence"
  | "garbled"
  | "shorter"
  | "changed";
export interface S3Request {
  method: string;
  /** Path and query, the bucket first. */
  path: string;
}

const REFUSALS = { error: [500, "InternalError"], deny: [403, "SignatureDoesNotMatch"] } as const;

/** An S3 in memory behind a proxy that does to each request what a test says. */
export class FaultyS3 {
  readonly bucket = "backups";
  readonly #server: Server;
  #storages = 0;
  readonly #behind: Awaited<ReturnType<typeof startFauxqs>>;
  /** Asked of each request; null passes it on. One that does not resolve holds the request. */
  judge: (request: S3Request) => S3Fault | null | Promise<S3Fault | null> = () => null;

  private constructor(server: Server, behind: Awaited<ReturnType<typeof startFauxqs>>) {
    this.#server = server;
    this.#behind = behind;
    behind.createBucket(this.bucket);
    server.on("request", (asked, answer) => void this.#serve(asked, answer));
  }

  static async start(): Promise<FaultyS3> {
    const behind = await startFauxqs({ port: 0, logger: false });
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return new FaultyS3(server, behind);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
  get endpoint(): AwsEndpoint {
    const credentials = { accessKeyId: "test", secretAccessKey: "test" };
    return { url: this.url, region: "us-east-1", credentials };
  }

  /** A storage of its own in the bucket, of little patience: no test waits long for an endpoint that is silent. */
  openStorage(): S3ObjectStorage {
    const { bucket, endpoint } = this;
    const limits = { requestMsMax: 200, callMsMax: 1_500 };
    return new S3ObjectStorage({ bucket, prefix: `t${(this.#storages += 1)}/`, endpoint, ...limits });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
    await this.#behind.stop();
  }

  async #serve(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    // Callers that are killed end in the middle of theirs.
    asked.on("error", () => undefined);
    answer.on("error", () => undefined);
    const body = await collect(asked).catch(() => null);
    if (body === null) return;
    const fault = await this.judge({ method: asked.method ?? "", path: asked.url ?? "" });
    if (fault === "silence") return;
    if (fault === "hang_up") return void asked.socket.destroy();
    if (fault === "error" || fault === "deny") {
      const [status, code] = REFUSALS[fault];
      answer.writeHead(status, { "content-type": "application/xml" });
      return void answer.end(`<Error><Code>${code}</Code><Message>as the test says</Message></Error>`);
    }
    const passed = await this.#pass(asked, body);
    const whole = await collect(passed);
    const half = whole.subarray(0, Math.floor(whole.byteLength / 2));
    const isOther = fault === "changed" || fault === "garbled";
    const said = fault === "shorter" ? half : isOther ? changed(whole) : whole;
    const isStored = fault === "shorter" || fault === "changed";
    const kept = Object.entries(passed.headers).filter(
      ([name]) => !isStored || !name.startsWith("x-amz-checksum"),
    );
    const headers = { ...Object.fromEntries(kept), "content-length": String(said.byteLength) };
    answer.writeHead(passed.statusCode ?? 500, headers);
    if (fault === "half_silence") return void answer.write(half);
    if (fault === "cut_off") return void answer.write(half, () => asked.socket.destroy());
    answer.end(said);
  }

  #pass({ method, url, headers }: IncomingMessage, body: Uint8Array): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port: this.#behind.port, method, path: url, headers };
      request(options, resolve).on("error", reject).end(body);
    });
  }
}

async function collect(from: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of from) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function changed(bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  const at = Math.floor(out.byteLength / 2);
  out[at] = (out[at] ?? 0) ^ 1;
  return out;
}
