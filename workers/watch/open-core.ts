import type { FollowedCore } from "./store-document.ts";
import type { WatchEnv } from "./watch-env.ts";
export function openCore(_env: WatchEnv): FollowedCore {
  throw new Error("x");
}
