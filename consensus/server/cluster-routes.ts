import {
  addNodeInput,
  removeNodeInput,
  snapshotInput,
  transferLeaderInput,
} from "../../contracts/core/cluster-api.ts";
import { addNode } from "./cluster-add-node.ts";
import { readOperation } from "./cluster-operation.ts";
import { removeNode } from "./cluster-remove-node.ts";
import { takeSnapshot } from "./cluster-snapshot.ts";
import { transferLeader } from "./cluster-transfer-leader.ts";
import type { CoreContext } from "./core-context.ts";
import type { Route } from "./http-router.ts";

/** The operations of contracts/core/cluster-api.ts; who may ask for one is for the admin API to say. */
export function clusterRoutes(core: CoreContext): Route[] {
  const post = (path: string, handle: Route["handle"]): Route => ({
    method: "POST",
    path,
    roles: ["admin"],
    handle,
  });
  return [
    post("/v1/cluster/add-node", async (r) => ({
      json: await addNode(core, await readOperation(r, addNodeInput)),
    })),
    post("/v1/cluster/remove-node", async (r) => ({
      json: await removeNode(core, await readOperation(r, removeNodeInput)),
    })),
    post("/v1/cluster/transfer-leader", async (r) => ({
      json: await transferLeader(core, await readOperation(r, transferLeaderInput)),
    })),
    post("/v1/cluster/snapshot", async (r) => ({
      json: await takeSnapshot(core, await readOperation(r, snapshotInput)),
    })),
  ];
}
