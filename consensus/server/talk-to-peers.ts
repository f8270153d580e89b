import type { ReplicatedLog } from "../replicated-log.ts";
import type { InfoChannel } from "../transport/info-channel.ts";
import type { Logger } from "./core-context.ts";
import { PeerExchange } from "./exchange-peer-info.ts";
import { machineElapsedMs } from "./leader-clock.ts";
import { OWN_ABILITIES } from "./own-abilities.ts";
import type { PeerAbilities, PeerKnowledge } from "./peer-knowledge.ts";
import { LeaderClockWatch } from "./watch-leader-clock.ts";

export interface PeerTalk {
  /** This node is fenced: the others hear of it from now on. */
  sayFenced(): void;
  /** The log is open: from now on this node hands over when it leads with a clock that is wrong. */
  watchClocks(log: Pick<ReplicatedLog<unknown>, "status" | "transferLeader">): void;
  stop(): void;
}

/** Tells the other members what this node is, and notes what they say. */
export function talkToPeers(options: {
  channel: InfoChannel;
  knowledge: PeerKnowledge;
  logger: Logger;
  own?: PeerAbilities;
  wallMs?: () => number;
}): PeerTalk {
  const { channel, knowledge, logger, own = OWN_ABILITIES, wallMs = Date.now } = options;
  const elapsedMs = machineElapsedMs();
  const exchange = new PeerExchange({ channel, own, knowledge, wallMs, elapsedMs });
  let watch: LeaderClockWatch | null = null;
  exchange.start();
  return {
    sayFenced: () => exchange.sayFenced(),
    watchClocks: (log) => {
      watch = new LeaderClockWatch({
        knowledge,
        status: () => log.status(),
        transfer: (to) => log.transferLeader(to),
        logger,
        nowMs: elapsedMs,
      });
      watch.start();
    },
    stop: () => {
      watch?.stop();
      exchange.stop();
    },
  };
}
