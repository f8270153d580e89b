/** Fills a core node with configs and versions over HTTP, many clients at once, and asks for one thing at a time. */
import { createHash, randomBytes } from "node:crypto";
import type { CoreClient } from "../../adapters/core-client/core-client.ts";
import { ServiceTokens } from "../../adapters/core-client/service-token.ts";
import { COMMAND_CONTENT_TYPE, encodeCommand } from "../../contracts/core/command-codec.ts";
import type { Command } from "../../domain/command/command.ts";
import { testCommand, testConfigPayload, testRule } from "../../domain/command/testing-commands.ts";
import { encodeRequest, HttpConnection, type HttpTarget } from "./raft-http-client.ts";

export const CONTENT_BYTES = 256;
const CLIENTS = 256;
/** Tenants are as many as keep each below its quota of configs; apps are so many a tenant. */
const CONFIGS_PER_TENANT_MAX = 10_000;
const APPS = 10;
const LIST_PAGE = 200;
const HTTP_OK = 200;

export interface ConfigRef {
  tenant: string;
  id: string;
}

export class GrowthLoad {
  readonly #target: HttpTarget;
  readonly #tokens: ServiceTokens;

  constructor(url: string, serviceKey: string) {
    const { hostname, port } = new URL(url);
    this.#target = { host: hostname, port: Number(port) };
    this.#tokens = new ServiceTokens(serviceKey, "admin", Date.now);
  }

  /** Each config with its version 1, which its default rule names. Answers writes a second. */
  async createConfigs(count: number): Promise<number> {
    return this.#runAll(count, (i) => {
      const tenant = `t${i % tenantsFor(count)}`;
      const content = makeContent();
      const payload = testConfigPayload(`service-${i}.conf`, content.sha256, {
        namespace: { tenant, app: `app-${i % APPS}`, env: "prod" },
        format: "text",
        releases: [testRule(1)],
      });
      return encode(testCommand("create_config", payload, { tenant }), content.bytes);
    });
  }

  /** One more version of each config, `rounds` times over all of them. Answers writes a second. */
  async createVersions(configs: readonly ConfigRef[], rounds: number): Promise<number> {
    return this.#runAll(configs.length * rounds, (i) => encodeVersion(configs[i % configs.length]!));
  }

  /** Versions of configs taken by chance, one after the other; answers what each took. */
  async writeSome(configs: readonly ConfigRef[], count: number): Promise<number[]> {
    return this.#timeEach(count, async () => this.#propose(encodeVersion(pick(configs))));
  }

  /** Linearizable reads of configs taken by chance, one after the other. */
  async readSome(configs: readonly ConfigRef[], count: number): Promise<number[]> {
    return this.#timeEach(count, async () => this.#read(pick(configs)));
  }

  /** Writes, one after the other, until `isOver`. Answers the slowest, in milliseconds. */
  async writeUntil(configs: readonly ConfigRef[], isOver: () => boolean): Promise<number> {
    let slowestMs = 0;
    while (!isOver()) slowestMs = Math.max(slowestMs, ...(await this.writeSome(configs, 1)));
    return slowestMs;
  }

  /** Resolves once the node answers a linearizable read. */
  async readable(config: ConfigRef): Promise<void> {
    await this.#timeEach(1, async () => this.#read(config));
  }

  async #propose(body: Uint8Array): Promise<Buffer> {
    const headers = {
      authorization: `Bearer ${await this.#tokens.token()}`,
      "content-type": COMMAND_CONTENT_TYPE,
    };
    return encodeRequest("POST", "/v1/propose", headers, body);
  }

  async #read({ id }: ConfigRef): Promise<Buffer> {
    const headers = { authorization: `Bearer ${await this.#tokens.token()}` };
    return encodeRequest("GET", `/v1/configs/${id}?consistency=linearizable`, headers);
  }

  async #timeEach(count: number, request: () => Promise<Buffer>): Promise<number[]> {
    const connection = new HttpConnection(this.#target);
    const tookMs: number[] = [];
    try {
      for (let i = 0; i < count; i += 1) {
        const bytes = await request();
        const startMs = performance.now();
        await answered(connection, bytes);
        tookMs.push(performance.now() - startMs);
      }
    } finally {
      connection.close();
    }
    return tookMs;
  }

  async #runAll(count: number, body: (i: number) => Uint8Array): Promise<number> {
    const startMs = performance.now();
    let next = 0;
    const client = async (): Promise<void> => {
      const connection = new HttpConnection(this.#target);
      try {
        while (next < count) await answered(connection, await this.#propose(body(next++)));
      } finally {
        connection.close();
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    return (count / (performance.now() - startMs)) * 1_000;
  }
}

/** Every config there is, in an order that has nothing to do with that of their keys. */
export async function listAll(core: CoreClient, count: number): Promise<ConfigRef[]> {
  const found: ConfigRef[] = [];
  for (let i = 0; i < tenantsFor(count); i += 1) {
    const tenant = `t${i}`;
    let cursor: string | null = null;
    do {
      const page = await core.listConfigs({
        tenant,
        limit: LIST_PAGE,
        ...(cursor === null ? {} : { cursor }),
      });
      found.push(...page.items.map(({ id }) => ({ tenant, id })));
      cursor = page.next_cursor;
    } while (cursor !== null);
  }
  if (found.length !== count) throw new Error(`${found.length} configs were found, ${count} were made`);
  return found;
}

const tenantsFor = (configs: number): number => Math.ceil(configs / CONFIGS_PER_TENANT_MAX);

function answered(connection: HttpConnection, request: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (status: number): void => {
      if (status === HTTP_OK) resolve();
      else reject(new Error(`the node answered ${status}`));
    };
    connection.send(request, done, reject);
  });
}

/** Text that no other version has. */
function makeContent(): { bytes: Buffer; sha256: string } {
  const bytes = Buffer.from(randomBytes(CONTENT_BYTES / 2).toString("hex"));
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
}

function encodeVersion({ tenant, id }: ConfigRef): Uint8Array {
  const content = makeContent();
  const payload = {
    config_id: id,
    content: { attachment: 0, sha256: content.sha256 },
    format: null,
    schema: null,
    description: "grown",
  };
  return encode(testCommand("create_version", payload, { tenant }), content.bytes);
}

const encode = (command: Command, bytes: Uint8Array): Uint8Array =>
  encodeCommand({ command, attachments: [bytes] });

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)]!;
}
