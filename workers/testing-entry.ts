import { hostedEdge } from "./edge/testing/host-edge.ts";

/** The Worker under which workerd tests run; Durable Object classes that tests need are exported here. */
export { TestRegionReplica, TestWatchHub } from "./watch/testing/test-objects.ts";
export { RequestWindow } from "./admin/request-window.ts";
export { FakeHub, FakeReplica } from "./edge/testing/fake-replica.ts";

/** Serves an edge that a test has hosted: as a request of its own, which its client may give up (`startEdge`). */
export default {
  fetch(request, _env, context): Response | Promise<Response> {
    const hosted = hostedEdge(request);
    return hosted === null
      ? new Response("tests only", { status: 404 })
      : hosted.edge.fetch(request, hosted.env, context);
  },
} satisfies ExportedHandler;
