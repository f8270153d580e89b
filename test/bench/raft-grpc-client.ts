import { Client, credentials, type MethodDefinition } from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";

/** The part of etcd's `rpc.proto` that a put and a get of one key need: field numbers and names are the protocol's. */
const ETCD_KV: Parameters<typeof fromJSON>[0] = {
  nested: {
    etcdserverpb: {
      nested: {
        PutRequest: { fields: { key: { type: "bytes", id: 1 }, value: { type: "bytes", id: 2 } } },
        PutResponse: { fields: {} },
        RangeRequest: { fields: { key: { type: "bytes", id: 1 }, serializable: { type: "bool", id: 7 } } },
        KeyValue: { fields: { key: { type: "bytes", id: 1 }, value: { type: "bytes", id: 5 } } },
        RangeResponse: { fields: { kvs: { rule: "repeated", type: "KeyValue", id: 2 } } },
        KV: {
          methods: {
            Put: { requestType: "PutRequest", responseType: "PutResponse", comment: "" },
            Range: { requestType: "RangeRequest", responseType: "RangeResponse", comment: "" },
          },
        },
      },
    },
  },
};
/** Streams that share a channel: enough that the client is not held up by one connection's flow control. */
export const STREAMS_PER_CHANNEL = 32;

export interface GrpcCall {
  method: "Put" | "Range";
  request: object;
}

type KvMethod = MethodDefinition<object, object>;

function isFound(answer: object | undefined): boolean {
  return answer !== undefined && "kvs" in answer && Array.isArray(answer.kvs) && answer.kvs.length === 1;
}

/** A channel to one etcd node. */
export class GrpcConnection {
  readonly #client: Client;
  readonly #methods: Record<GrpcCall["method"], KvMethod>;

  constructor(target: { host: string; port: number }) {
    const service = fromJSON(ETCD_KV)["etcdserverpb.KV"] as unknown as Record<GrpcCall["method"], KvMethod>;
    this.#methods = service;
    // A pool of its own: channels with the same target would else share one connection.
    this.#client = new Client(`${target.host}:${target.port}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  send({ method, request }: GrpcCall, done: (ok: boolean) => void, failed: (error: Error) => void): void {
    const { path, requestSerialize, responseDeserialize } = this.#methods[method];
    this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, answer) => {
      if (error !== null) failed(error);
      else done(method === "Put" || isFound(answer));
    });
  }

  close(): void {
    this.#client.close();
  }
}
