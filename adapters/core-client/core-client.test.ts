import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  startTestingNode,
  type TestingNode,
  TESTING_SERVICE_KEY,
} from "../../consensus/server/testing-node.ts";
import { NotProposedError, OutcomeUnknownError } from "../../consensus/replicated-log.ts";
import { COMMAND_CONTENT_TYPE } from "../../contracts/core/command-codec.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { toProblem } from "../../contracts/problem/problem.ts";
import { testCommand } from "../../domain/command/testing-commands.ts";
import { MemoryKeyService } from "../memory/memory-key-service.ts";
import { CLUSTER_TRIES_MAX } from "./call-core.ts";
import { CoreClient } from "./core-client.ts";
import { backupConformance } from "./testing/backup-conformance.ts";
import { codeOf, coreConformance, createIn, utf8 } from "./testing/core-conformance.ts";
import { clusterConformance } from "./testing/cluster-conformance.ts";
import { encryptionConformance, sealIn } from "./testing/encryption-conformance.ts";
import { changesConformance } from "./testing/changes-conformance.ts";
import { publishConformance } from "./testing/publish-conformance.ts";
import { quotaConformance } from "./testing/quota-conformance.ts";
import { bundleConformance } from "./testing/bundle-conformance.ts";
import { rulesConformance } from "./testing/rules-conformance.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function node(): Promise<TestingNode> {
  const started = await startTestingNode();
  closers.push(() => started.stop());
  return started;
}
function client(...urls: string[]): CoreClient {
  return new CoreClient({ urls, serviceKey: TESTING_SERVICE_KEY, role: "admin" });
}
/** A server that stands in for a broken node: its URL, and how many requests it saw. */
async function broken(listener: RequestListener): Promise<{ url: string; seen: () => number }> {
  let seen = 0;
  const server = createServer((request, response) => {
    seen += 1;
    listener(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  closers.push(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen: () => seen };
}
/** A URL where nobody listens (any more). */
async function deadUrl(): Promise<string> {
  const { url } = await broken(() => undefined);
  await closers.pop()?.();
  return url;
}
const revoke = (idempotent: boolean) => ({
  command: testCommand(
    "revoke_token",
    { jti: "j", expires_at_ms: 1 },
    idempotent ? { idempotency: { scope: "s", digest: "d" } } : {},
  ),
  attachments: [],
});

describe("the core over HTTP", () => {
  const keys = new MemoryKeyService(["alias/one", "alias/two"]);
  let shared: TestingNode;
  beforeAll(async () => {
    shared = await startTestingNode({ encryption: { keys, defaultKeyId: "alias/one" } });
  });
  afterAll(() => shared.stop());
  encryptionConformance(() => client(shared.url), keys);
  coreConformance(() => client(shared.url));
  backupConformance(() => client(shared.url));
  publishConformance(() => client(shared.url));
  changesConformance(() => client(shared.url));
  rulesConformance(() => client(shared.url));
  bundleConformance(() => client(shared.url));
  quotaConformance(() => client(shared.url));
  clusterConformance(() => client(shared.url));
});

describe("K5 a core of a build before encryption", () => {
  it("is not given a content to write down: it refuses the type, and the caller hears of an upgrade", async () => {
    const refusal = toProblem(
      new ConfluxError("unsupported_media_type", "a command is another"),
      "0".repeat(32),
    );
    const { url, seen } = await broken((request, response) => {
      expect(request.headers["content-type"]).not.toBe(COMMAND_CONTENT_TYPE);
      response.writeHead(415, { "content-type": "application/problem+json" }).end(JSON.stringify(refusal));
    });
    expect(await codeOf(sealIn(client(url), "a.json", "hunter2"))).toBe("upgrade_in_progress");
    expect(seen()).toBe(1);
  });

  it("P7 nor has it a route to seal a secret: the caller hears of an upgrade", async () => {
    const refusal = toProblem(new ConfluxError("not_found", "no such path"), "0".repeat(32));
    const { url } = await broken((_request, response) => {
      response.writeHead(404, { "content-type": "application/problem+json" }).end(JSON.stringify(refusal));
    });
    const identity = { tenant: "demo", app: "gray", env: "data-source", name: "pop" };
    const sealed = client(url).sealSecret({ identity, key_id: null, secret: utf8("hunter2") });
    expect(await codeOf(sealed)).toBe("upgrade_in_progress");
  });
});

describe("R14 known and unknown outcomes", () => {
  it("nobody listens: a write is not_proposed, a read unavailable", async () => {
    const core = client(await deadUrl());
    expect(await codeOf(core.propose(revoke(false)))).toBe("not_proposed");
    expect(await codeOf(core.status())).toBe("unavailable");
  });

  it("goes on to the node that is there, and stays with it", async () => {
    const { url } = await node();
    const core = client(await deadUrl(), url);
    expect((await core.propose(revoke(false))).result.jti).toBe("j");
    expect((await core.status()).leader_id).toBe(1);
  });

  it("a connection that breaks after the write was sent: outcome_unknown, and sent once", async () => {
    const { url, seen } = await broken((request) => request.socket.destroy());
    const alive = await node();
    expect(await codeOf(client(url, alive.url).propose(revoke(false)))).toBe("outcome_unknown");
    expect(seen()).toBe(1);
    expect(alive.store.lastApplied()).toBe(0);
  });

  it("with an idempotency key it is sent again, and the core answers it once", async () => {
    const { url } = await broken((request) => request.socket.destroy());
    const alive = await node();
    const core = client(url, alive.url);
    expect((await core.propose(revoke(true))).replayed).toBe(false);
    expect((await core.propose(revoke(true))).replayed).toBe(true);
  });

  it("a node whose log does not know the outcome says so", async () => {
    const { url, log } = await node();
    log.failure = new OutcomeUnknownError("the leader changed");
    expect(await codeOf(client(url).propose(revoke(false)))).toBe("outcome_unknown");
  });

  it("a node that does not lead names the leader, and the client goes there", async () => {
    const alive = await node();
    const problem = {
      type: "x",
      title: "x",
      status: 503,
      code: "not_proposed",
      detail: "node 1 leads",
      errors: [],
      trace_id: "t",
    };
    const follower = await broken((_request, response) => {
      response.writeHead(503, { "x-conflux-leader-id": "1", "x-conflux-node-id": "2" });
      response.end(JSON.stringify(problem));
    });
    const core = client(follower.url, alive.url);
    expect((await core.propose(revoke(false))).result.jti).toBe("j");
    expect(follower.seen()).toBe(1);
    const alone = client(follower.url);
    expect(await codeOf(alone.propose(revoke(false)))).toBe("not_proposed");
  });

  it("an answer that is no problem document is not taken for one", async () => {
    const { url } = await broken((_request, response) => response.writeHead(502).end("<html>"));
    expect(await codeOf(client(url).status())).toBe("unavailable");
  });
});

describe("R14 several nodes", () => {
  const refusal =
    (code: string, status: number): RequestListener =>
    (_request, response) => {
      response.writeHead(status, { "x-conflux-node-id": "2", "content-type": "application/problem+json" });
      const known = { type: "x", title: "x", status, code, detail: "x", errors: [], trace_id: "t" };
      response.end(JSON.stringify(known));
    };

  it("waits for the next leader within its patience, sending a write that was refused again", async () => {
    const alive = await node();
    const electing = new NotProposedError("no leader yet", null);
    alive.log.failure = electing;
    let refusals = 0;
    const other = await broken((request, response) => {
      refusals += 1;
      if (refusals === 3) alive.log.failure = null;
      refusal("not_proposed", 503)(request, response);
    });
    expect((await client(alive.url, other.url).propose(revoke(false))).result.jti).toBe("j");
    expect(refusals).toBeGreaterThanOrEqual(3);
    expect(alive.store.lastApplied()).toBe(1);
  });

  it("gives up when there is no leader, and says that nothing was written", async () => {
    const [one, two] = [
      await broken(refusal("not_proposed", 503)),
      await broken(refusal("not_proposed", 503)),
    ];
    expect(await codeOf(client(one.url, two.url).propose(revoke(true)))).toBe("not_proposed");
    expect(one.seen() + two.seen()).toBeLessThanOrEqual(CLUSTER_TRIES_MAX);
  });

  it("a feed or content that one node does not have yet is asked of the others", async () => {
    const alive = await node();
    const created = await createIn(client(alive.url), "behind.json", "{}");
    const ahead = await broken(refusal("feed_ahead", 409));
    const feed = { after: 0, limit: 1, wait_ms: 0, view: "full" } as const;
    expect((await client(ahead.url, alive.url).feed(feed)).index).toBe(created.index);
    expect(await codeOf(client(ahead.url, ahead.url.replace("127.0.0.1", "localhost")).feed(feed))).toBe(
      "feed_ahead",
    );
    const without = await broken(refusal("not_found", 404));
    const sha256 = "0".repeat(64);
    expect(await codeOf(client(without.url, alive.url).getBlob({ tenant: "demo", sha256 }))).toBe(
      "not_found",
    );
    expect(without.seen()).toBe(1);
  });

  it("the status is the leader's, or some node's while there is none", async () => {
    const alive = await node();
    alive.log.failure = new NotProposedError("no leader", null);
    expect((await client(alive.url).status()).nodes).toHaveLength(1);
  });
});

describe("the caller's token", () => {
  it("a wrong key is unauthenticated", async () => {
    const { url } = await node();
    const core = new CoreClient({
      urls: [url],
      serviceKey: "another-key-another-key-another-key",
      role: "admin",
    });
    expect(await codeOf(core.status())).toBe("unauthenticated");
  });

  it("a replica reads the edge's feed and may neither write nor see who did what", async () => {
    const { url } = await node();
    await createIn(client(url), "a.json", "{}");
    const replica = new CoreClient({ urls: [url], serviceKey: TESTING_SERVICE_KEY, role: "replica" });
    expect((await replica.edgeFeed({ after: 0, limit: 1, wait_ms: 0 })).entries).toHaveLength(1);
    expect(await codeOf(replica.feed({ after: 0, limit: 1, wait_ms: 0, view: "full" }))).toBe("forbidden");
    expect(await codeOf(replica.propose(revoke(false)))).toBe("forbidden");
    expect(await codeOf(replica.getConfig("cfg-c1-1"))).toBe("forbidden");
  });

  it("is minted anew before it expires", async () => {
    const { url } = await node();
    let nowMs = Date.now();
    const core = new CoreClient({
      urls: [url],
      serviceKey: TESTING_SERVICE_KEY,
      role: "admin",
      now: () => nowMs,
    });
    expect(await codeOf(core.status())).toBe("accepted");
    nowMs -= 3_600_000;
    expect(await codeOf(core.status())).toBe("accepted");
    const stale = new CoreClient({
      urls: [url],
      serviceKey: TESTING_SERVICE_KEY,
      role: "admin",
      now: () => nowMs,
    });
    expect(await codeOf(stale.status())).toBe("unauthenticated");
  });
});
