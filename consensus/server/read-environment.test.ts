import { expect, it } from "vitest";
import { readEnvironment } from "./read-environment.ts";

const good = { CONFLUX_CORE_SERVICE_KEY: "k".repeat(32), CONFLUX_CORE_DATA_DIR: "/tmp/x" };

it("has defaults for what may be left out", () => {
  expect(readEnvironment(good)).toEqual({
    nodeId: 1,
    host: "127.0.0.1",
    port: 7401,
    dataDirectory: "/tmp/x",
    clusterId: "c1",
    serviceKey: "k".repeat(32),
    journal: "wal",
  });
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
])("names %s when it is %s", (name, value) => {
  expect(() => readEnvironment({ ...good, [name]: value })).toThrow(name);
});
