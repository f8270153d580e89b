import { Client, type ClientDuplexStream, credentials, type MethodDefinition } from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";

/** The part of etcd's `rpc.proto` that a put and a watch of one key need: field numbers and names are the protocol's. */
const ETCD: Parameters<typeof fromJSON>[0] = {
  nested: {
    etcdserverpb: {
      nested: {
        PutRequest: { fields: { key: { type: "bytes", id: 1 }, value: { type: "bytes", id: 2 } } },
        PutResponse: { fields: {} },
        WatchCreateRequest: { fields: { key: { type: "bytes", id: 1 } } },
        WatchRequest: { fields: { create_request: { type: "WatchCreateRequest", id: 1 } } },
        Event: { fields: { type: { type: "int32", id: 1 } } },
        WatchResponse: {
          fields: { created: { type: "bool", id: 3 }, events: { rule: "repeated", type: "Event", id: 11 } },
        },
        KV: { methods: { Put: { requestType: "PutRequest", responseType: "PutResponse" } } },
        Watch: {
          methods: {
            Watch: {
              requestType: "WatchRequest",
              responseType: "WatchResponse",
              requestStream: true,
              responseStream: true,
            },
          },
        },
      },
    },
  },
} as Parameters<typeof fromJSON>[0];
/** Watches that share a connection, as the client of a program with many would. */
const WATCHES_PER_CHANNEL = 50;

type Method = MethodDefinition<object, object>;
interface WatchAnswer {
  created?: boolean;
  events?: unknown[];
}

/** Watchers of one key of etcd, and a way to change it. */
export class EtcdWatchers {
  readonly #clients: Client[] = [];
  readonly #watch: Method;
  readonly #put: Method;
  readonly #target: string;

  constructor(port: number) {
    this.#target = `127.0.0.1:${port}`;
    this.#put = (fromJSON(ETCD)["etcdserverpb.KV"] as unknown as { Put: Method }).Put;
    this.#watch = (fromJSON(ETCD)["etcdserverpb.Watch"] as unknown as { Watch: Method }).Watch;
  }

  /** Opens watcher number `i` of `key`. */
  open(
    i: number,
    key: Buffer,
    events: { greeted: () => void; changed: () => void; failed: (error: Error) => void },
  ): void {
    const channel = Math.floor(i / WATCHES_PER_CHANNEL);
    const client = (this.#clients[channel] ??= this.#connect());
    const { path, requestSerialize, responseDeserialize } = this.#watch;
    const stream: ClientDuplexStream<object, WatchAnswer> = client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize as (bytes: Buffer) => WatchAnswer,
    );
    stream.on("data", (answer: WatchAnswer) => {
      if (answer.created === true) events.greeted();
      if (answer.events !== undefined && answer.events.length > 0) events.changed();
    });
    stream.on("error", events.failed);
    stream.write({ create_request: { key } });
  }

  put(key: Buffer, value: Buffer): Promise<void> {
    const client = (this.#clients[0] ??= this.#connect());
    const { path, requestSerialize, responseDeserialize } = this.#put;
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { key, value }, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  /** A pool of its own: channels with the same target would else share one connection. */
  #connect(): Client {
    return new Client(this.#target, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  }
}
