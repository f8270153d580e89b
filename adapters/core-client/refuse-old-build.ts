import { ConfluxError } from "../../contracts/problem/error-codes.ts";

const UPGRADE_RETRY_AFTER_S = 5;

/** A core that does not know the type of a command to seal is of a build before. */
export function refuseOldBuild(error: unknown): never {
  refuseAsOld(error, "unsupported_media_type");
}

/** A core that seals a secret finds whatever it is asked for, so one that does not has no such route. */
export function refuseOldRoutes(error: unknown): never {
  refuseAsOld(error, "not_found");
}

function refuseAsOld(error: unknown, code: ConfluxError["code"]): never {
  if (!(error instanceof ConfluxError) || error.code !== code) throw error;
  throw new ConfluxError("upgrade_in_progress", "the core does not encrypt yet; nothing was changed", {
    cause: error,
    retryAfterS: UPGRADE_RETRY_AFTER_S,
  });
}
