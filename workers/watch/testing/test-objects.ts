import { RegionReplica, type ReplicaTiming } from "../region-replica.ts";
import { SILENCE, type Silence } from "../socket-silence.ts";
import type { FollowedCore } from "../store-document.ts";
import type { WatchEnv } from "../watch-env.ts";
import { WatchHub } from "../watch-hub.ts";
import { FaultyCore } from "./faulty-core.ts";

/** What a test holds of a region: its core, and whether its KV takes writes. */
export interface RegionFaults {
  core: FaultyCore;
  kvFailure: Error | null;
  kvWrites: string[];
  timing: ReplicaTiming;
  publishFailure: Error | null;
  socketsMax: number;
  silence: Silence;
}

const faults = new Map<string, RegionFaults>();

/** The faults of a region (tests use a region each); made at first use. */
export function regionFaults(region: string): RegionFaults {
  let found = faults.get(region);
  if (found === undefined) {
    found = {
      core: new FaultyCore(),
      kvFailure: null,
      kvWrites: [],
      timing: { loopMs: 400, backoffMaxMs: 200, firstSyncWaitMs: 5000 },
      publishFailure: null,
      socketsMax: 100,
      silence: SILENCE,
    };
    faults.set(region, found);
  }
  return found;
}

/** The replica on a core in memory and a KV namespace that may refuse writes. */
export class TestRegionReplica extends RegionReplica {
  protected override core(): FollowedCore {
    return regionFaults(regionIn(this.ctx)).core;
  }

  protected override kv(region: string): KVNamespace {
    const { KV_US_EAST_1: real } = this.env as WatchEnv & { KV_US_EAST_1: KVNamespace };
    const put = async (...args: Parameters<KVNamespace["put"]>): Promise<void> => {
      const { kvFailure, kvWrites } = regionFaults(region);
      if (kvFailure !== null) throw kvFailure;
      kvWrites.push(args[0]);
      await real.put(...args);
    };
    return new Proxy(real, { get: (target, key) => (key === "put" ? put : Reflect.get(target, key)) });
  }

  protected override get timing(): ReplicaTiming {
    return regionFaults(regionIn(this.ctx)).timing;
  }
}

/** The hub, able to refuse what the replica publishes. */
export class TestWatchHub extends WatchHub {
  override async publish(input: Parameters<WatchHub["publish"]>[0]): Promise<void> {
    const { publishFailure } = regionFaults(regionIn(this.ctx));
    if (publishFailure !== null) throw publishFailure;
    await super.publish(input);
  }

  protected override get socketsMax(): number {
    return regionFaults(regionIn(this.ctx)).socketsMax;
  }

  protected override get silence(): Silence {
    return regionFaults(regionIn(this.ctx)).silence;
  }
}

function regionIn(ctx: DurableObjectState): string {
  return ctx.id.name?.split(":")[1] ?? "";
}
