/** The Worker under which workerd tests run; Durable Object classes that tests need are exported here. */
export { TestRegionReplica, TestWatchHub } from "./watch/testing/test-objects.ts";
export { FakeHub, FakeReplica } from "./edge/testing/fake-replica.ts";

export default {
  fetch(): Response {
    return new Response("tests only", { status: 404 });
  },
};
