import { expect, it } from "vitest";
import { readEnvironment } from "./read-environment.ts";

const good = { CONFLUX_CORE_SERVICE_KEY: "k".repeat(32), CONFLUX_CORE_DATA_DIR: "/tmp/x" };

it("has defaults for what may be left out", () => {
  expect(readEnvironment(good)).toEqual({
    backup: null,
    nodeId: 1,
    host: "127.0.0.1",
    port: 7401,
    dataDirectory: "/tmp/x",
    clusterId: "c1",
    serviceKey: "k".repeat(32),
    journal: "wal",
    keyService: null,
    peers: null,
  });
});

const PEERS =
  "2=core-2.conflux.local:7501@http://core-2.conflux.local:7401,1=127.0.0.1:7502@http://127.0.0.1:7402";
const member = {
  ...good,
  CONFLUX_PEERS: PEERS,
  CONFLUX_PEER_CA_FILE: "/tls/ca.pem",
  CONFLUX_PEER_CERT_FILE: "/tls/cert.pem",
  CONFLUX_PEER_KEY_FILE: "/tls/key.pem",
};

it("R7 reads the members of a cluster, in the order of their ids", () => {
  expect(readEnvironment({ ...member, CONFLUX_PEER_LISTEN_HOST: "0.0.0.0" }).peers).toEqual({
    members: [
      { nodeId: 1, host: "127.0.0.1", port: 7502, url: "http://127.0.0.1:7402" },
      { nodeId: 2, host: "core-2.conflux.local", port: 7501, url: "http://core-2.conflux.local:7401" },
    ],
    listenHost: "0.0.0.0",
    listenPort: 7502,
    caFile: "/tls/ca.pem",
    certFile: "/tls/cert.pem",
    keyFile: "/tls/key.pem",
    electionTimeoutMs: 500,
    joins: false,
    readMode: "quorum",
  });
});

it("R6 reads by lease only when it is asked for", () => {
  expect(readEnvironment({ ...member, CONFLUX_READ_MODE: "lease" }).peers?.readMode).toBe("lease");
});

it.each([
  ["CONFLUX_PEERS", "1=127.0.0.1:7502"],
  ["CONFLUX_PEERS", PEERS.replace("1=127", "3=127")],
  ["CONFLUX_PEERS", `${PEERS},${PEERS}`],
  ["CONFLUX_PEERS", PEERS.replace("7501", "75010")],
  ["CONFLUX_PEER_CA_FILE", undefined],
  ["CONFLUX_PEER_KEY_FILE", ""],
  ["CONFLUX_ELECTION_TIMEOUT_MS", "1"],
  ["CONFLUX_READ_MODE", "fast"],
])("of a member names %s when it is %s", (name, value) => {
  expect(() => readEnvironment({ ...member, [name]: value })).toThrow(name);
});

it.each([
  ["CONFLUX_CORE_SERVICE_KEY", undefined],
  ["CONFLUX_CORE_SERVICE_KEY", "short"],
  ["CONFLUX_CORE_DATA_DIR", undefined],
  ["CONFLUX_CORE_LISTEN_PORT", "70000"],
  ["CONFLUX_CORE_LISTEN_PORT", "-1"],
  ["CONFLUX_NODE_ID", "0"],
  ["CONFLUX_CLUSTER_ID", "a-b"],
  ["CONFLUX_STATE_JOURNAL", "off"],
  ["KMS_ENDPOINT", "nowhere"],
  ["CONFLUX_KMS_DEFAULT_KEY_ID", "a key"],
  ["CONFLUX_KMS_DEFAULT_KEY_ID", "alias/without-a-region"],
])("names %s when it is %s", (name, value) => {
  expect(() => readEnvironment({ ...good, [name]: value })).toThrow(name);
});

const ALONE = PEERS.split(",")[1];
it.each([
  {
    peers: undefined,
    join: "1",
    says: "CONFLUX_JOIN is set, but CONFLUX_PEERS names no member of the cluster",
  },
  { peers: "", join: "1", says: "CONFLUX_JOIN is set, but CONFLUX_PEERS names no member of the cluster" },
  { peers: ALONE, join: "1", says: "CONFLUX_JOIN is set, but CONFLUX_PEERS names no member of the cluster" },
  { peers: undefined, join: "yes", says: "CONFLUX_JOIN is not valid: 1 to join a cluster, or not set" },
  { peers: PEERS, join: "yes", says: "CONFLUX_JOIN is not valid: 1 to join a cluster, or not set" },
])("R7 with CONFLUX_JOIN $join and the peers $peers it says: $says", ({ peers, join, says }) => {
  const env = { ...member, CONFLUX_PEERS: peers, CONFLUX_JOIN: join };
  expect(() => readEnvironment(env)).toThrow(says);
});

it.each([undefined, "", "0"])("R7 with CONFLUX_JOIN %j a node may be alone", (join) => {
  expect(readEnvironment({ ...good, CONFLUX_JOIN: join }).peers).toBeNull();
});

it("K2 finds KMS by its region, or a stand-in by its URL, each with a default key or without", () => {
  const none = { endpointUrl: undefined, region: undefined, accessKeyId: undefined, defaultKeyId: null };
  const keyService = (env: Record<string, string>) => readEnvironment({ ...good, ...env }).keyService;
  expect(keyService({ AWS_REGION: "eu-west-1", KMS_ENDPOINT: "" })).toEqual({ ...none, region: "eu-west-1" });
  const own = { CONFLUX_KMS_REGION: "eu-west-2", CONFLUX_KMS_DEFAULT_KEY_ID: "alias/a" };
  expect(keyService({ AWS_REGION: "eu-west-1", ...own })).toEqual({
    ...none,
    region: "eu-west-2",
    defaultKeyId: "alias/a",
  });
  const standIn = { KMS_ENDPOINT: "http://127.0.0.1:1", KMS_ACCESS_KEY_ID: "LOCAL" };
  expect(keyService(standIn)).toEqual({ ...none, endpointUrl: "http://127.0.0.1:1", accessKeyId: "LOCAL" });
});

it("C10 R13 reads where backups and archived versions go, and how often the retention is enforced", () => {
  const store = { ...good, CONFLUX_BACKUP_STORE: "s3://bucket/prefix" };
  const backup = { place: "s3://bucket/prefix", endpointUrl: undefined, intervalMs: 3_600_000 };
  expect(readEnvironment(store).backup).toEqual({
    ...backup,
    keepCount: 72,
    keepDays: 30,
    retentionIntervalMs: 60_000,
  });
  const never = readEnvironment({ ...store, CONFLUX_RETENTION_INTERVAL_S: "0" });
  expect(never.backup?.retentionIntervalMs).toBe(0);
  expect(() => readEnvironment({ ...store, CONFLUX_RETENTION_INTERVAL_S: "-1" })).toThrow(
    "CONFLUX_RETENTION_INTERVAL_S is not valid: a whole number from 0 to",
  );
});
