import { beforeEach, describe, expect, it, vi } from "vitest";
import { indexPermissions, permits } from "../../domain/access/permits.ts";
import { isConfigName } from "../../domain/config/config-name.ts";
import { CLUSTER_RESOURCE } from "./cluster-operator.ts";
import { readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const CLUSTER = "/api/v1/mgt/cluster";
let admin: TestingAdmin;
beforeEach(() => {
  admin = testingAdmin();
});
const as = (name: string): Record<string, string> => ({ authorization: `Bearer ${name}` });
const REQUESTS: [string, object][] = [
  ["add-node", { node_id: 4, raft_address: "h:7504" }],
  ["remove-node", { node_id: 4 }],
  ["transfer-leader", {}],
  ["snapshot", {}],
];

describe("R5 A4 who may operate the core", () => {
  it.each(REQUESTS)("%s is for operators, not for who may do everything in a tenant", async (name, body) => {
    for (const who of ["tenant", "reader", "stranger"]) {
      const refused = await admin.send("POST", `${CLUSTER}/${name}`, body, as(who));
      expect(await readProblem(refused)).toMatchObject({ code: "forbidden" });
    }
    const nobody = await admin.send("POST", `${CLUSTER}/${name}`, body, as("nobody"));
    expect(nobody.status).toBe(401);
    const allowed = await admin.send("POST", `${CLUSTER}/${name}`, body, as("operator"));
    expect([401, 403]).not.toContain(allowed.status);
  });

  it("no role of a tenant reaches the core, not even one that may do everything", () => {
    const everything = indexPermissions([{ action: "execute", resource_pattern: "**" }]);
    for (const tenant of ["demo", "system"]) {
      expect(permits(everything, tenant, "execute", CLUSTER_RESOURCE)).toBe(false);
    }
    expect(isConfigName(CLUSTER_RESOURCE.split("/")[0] ?? "")).toBe(false);
  });
});

describe("R5 the status", () => {
  it("says of each node whether it is fenced; no, where the core is of a build that does not say it", async () => {
    const status = await admin.core.status();
    const [node] = status.nodes;
    const { fenced: _none, ...older } = { ...node!, node_id: 2 };
    const nodes = [node!, older, { ...older, node_id: 3, fenced: true }];
    vi.spyOn(admin.core, "status").mockResolvedValue({ ...status, nodes });
    const answer = await admin.send("GET", `${CLUSTER}/status`, undefined, as("reader"));
    expect((await answer.json<{ nodes: object[] }>()).nodes).toEqual([
      { ...node, raft_address: null, fenced: false },
      { ...older, raft_address: null, fenced: false },
      { ...older, raft_address: null, node_id: 3, fenced: true },
    ]);
  });
});

describe("R5 operations on the core", () => {
  it("pass on who asks, and answer a signed index", async () => {
    const position = { cluster_id: "c1", epoch: 1, index: 7 };
    const addNode = vi.spyOn(admin.core, "addNode").mockResolvedValue({
      ...position,
      replayed: false,
      node_id: 4,
      role: "learner",
      match_index: 3,
      last_index: 9,
    });
    const body = { node_id: 4, raft_address: "h:7504" };
    const added = await admin.send("POST", `${CLUSTER}/add-node`, body, as("operator"));
    expect(added.status).toBe(200);
    expect(await added.json()).toEqual({
      node_id: 4,
      role: "learner",
      match_index: 3,
      last_index: 9,
      index: expect.stringMatching(/^c1\.1\.7\./) as unknown,
    });
    expect(addNode).toHaveBeenCalledWith({
      ...body,
      head: {
        actor: { type: "user", id: "user-operator", name: "operator" },
        ip: "192.0.2.1",
        trace_id: added.headers.get("x-trace-id"),
      },
    });
    const taken = await admin.send("POST", `${CLUSTER}/snapshot`, {}, as("operator"));
    expect(await taken.json()).toMatchObject({ node_id: 1, snapshot_index: 1 });
    const led = await admin.send("POST", `${CLUSTER}/transfer-leader`, { target_node_id: 1 }, as("operator"));
    expect(await led.json()).toMatchObject({ leader_id: 1, term: 1 });
  });

  it.each<[string, object, object]>([
    ["snapshot", {}, { more: 1 }],
    ["transfer-leader", { target_node_id: 1 }, { target_node_id: 9 }],
  ])("C12 %s under a key: its repetition says so, another body is a conflict", async (name, body, other) => {
    const key = { ...as("operator"), "x-idempotency-key": "k1" };
    const first = await admin.send("POST", `${CLUSTER}/${name}`, body, key);
    const again = await admin.send("POST", `${CLUSTER}/${name}`, body, key);
    expect([first.status, first.headers.get("idempotency-replayed")]).toEqual([200, null]);
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([200, "true"]);
    const { index } = await first.json<{ index: string }>();
    expect(await again.json()).toMatchObject({ index });
    const refused = await admin.send("POST", `${CLUSTER}/${name}`, other, key);
    // A body that makes no sense is said to make none, whatever the key.
    const code = name === "snapshot" ? "validation_failed" : "idempotency_conflict";
    expect(await readProblem(refused)).toMatchObject({ code });
    const elsewhere = await admin.send("POST", `${CLUSTER}/snapshot`, {}, { ...key, ...as("operator") });
    expect(elsewhere.headers.get("idempotency-replayed")).toBe(name === "snapshot" ? "true" : null);
  });

  it("C12 pass a key on as a digest, with the digest of the body", async () => {
    const removeNode = vi.spyOn(admin.core, "removeNode");
    const key = { ...as("operator"), "x-idempotency-key": "a secret of mine" };
    for (const node_id of [8, 9]) await admin.send("POST", `${CLUSTER}/remove-node`, { node_id }, key);
    const [one, two] = removeNode.mock.calls.map(([input]) => input.idempotency);
    expect(one).toEqual({
      scope: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
    });
    expect(two).toEqual({
      scope: one?.scope,
      digest: expect.not.stringMatching(one?.digest ?? "") as unknown,
    });
  });

  it.each([
    ["add-node", {}, "/node_id"],
    ["add-node", { node_id: 0, raft_address: "h:1" }, "/node_id"],
    ["add-node", { node_id: "4", raft_address: "h:1" }, "/node_id"],
    ["add-node", { node_id: 1_000_000_000, raft_address: "h:1" }, "/node_id"],
    ["add-node", { node_id: 4 }, "/raft_address"],
    ["add-node", { node_id: 4, raft_address: "h" }, "/raft_address"],
    ["add-node", { node_id: 4, raft_address: "h:0" }, "/raft_address"],
    ["add-node", { node_id: 4, raft_address: "h:70000" }, "/raft_address"],
    ["add-node", { node_id: 4, raft_address: "http://h:1" }, "/raft_address"],
    ["remove-node", { node_id: 1.5 }, "/node_id"],
    ["remove-node", { node_id: null }, "/node_id"],
    ["transfer-leader", { target_node_id: -1 }, "/target_node_id"],
  ])("%s refuses %o at %s", async (name, body, path) => {
    const problem = await readProblem(await admin.send("POST", `${CLUSTER}/${name}`, body, as("operator")));
    expect(problem).toMatchObject({ code: "validation_failed", status: 400 });
    expect(problem.errors.map((e) => e.path).join()).toContain(path);
  });

  it.each([
    ["abc", "expected host:port, an IPv6 address in brackets"],
    ["h:700000", "a port is at most 65535"],
    ["h:70000", "a port is at most 65535"],
    ["h".repeat(300), expect.stringContaining("256") as unknown],
  ])("add-node says one thing of the address %s", async (raft_address, message) => {
    const body = { node_id: 4, raft_address };
    const problem = await readProblem(await admin.send("POST", `${CLUSTER}/add-node`, body, as("operator")));
    expect(problem.errors).toEqual([{ path: "/raft_address", message }]);
  });

  it.each(["", "[]", "{", '{"node_id":4,"more":1}'])("remove-node refuses the body %o", async (body) => {
    const answer = await admin.send("POST", `${CLUSTER}/remove-node`, body, {
      ...as("operator"),
      "content-type": "application/json",
    });
    expect(answer.status).toBe(400);
  });

  it("say what stands against them", async () => {
    const last = await admin.send("POST", `${CLUSTER}/remove-node`, { node_id: 1 }, as("operator"));
    expect(await readProblem(last)).toMatchObject({ code: "conflict", status: 409 });
    const unknown = await admin.send("POST", `${CLUSTER}/remove-node`, { node_id: 9 }, as("operator"));
    expect(await readProblem(unknown)).toMatchObject({ code: "not_found" });
  });
});
