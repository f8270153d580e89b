import { type Refusal, refuse } from "../command/apply-verb.ts";
import type { BundlePlanItem } from "./bundle.ts";

/** The refusal of a plan that something stands against, each thing with its place. */
export function refuseBlocked(items: readonly BundlePlanItem[]): Refusal | null {
  const blocked = items.flatMap(({ blocked: why, position, app, env, name }) =>
    why === null
      ? []
      : [
          {
            ...why,
            path: position === null ? "/configs" : `/configs/${position}`,
            of: `${app}/${env}/${name}`,
          },
        ],
  );
  const [first] = blocked;
  if (first === undefined) return null;
  const errors = blocked.slice(0, 50).map(({ path, of, reason }) => ({ path, message: `${of}: ${reason}` }));
  const code = blocked.some((why) => why.code === "conflict") ? "conflict" : first.code;
  return refuse(code, `${blocked.length} configs stand against the bundle`, errors);
}
