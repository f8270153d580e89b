import type { VerifiedClientToken } from "../../adapters/tokens/verify-client-token.ts";
import type { EdgeConfigAnswer } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { compileDocument } from "../../domain/delivery/compile-document.ts";
import type { CompiledDocument } from "../../domain/delivery/compiled-document.ts";
import { withDeadline } from "./deadline.ts";
import type { EdgeCore } from "./open-core.ts";
import { sha256Hex } from "../../adapters/digest/sha256-hex.ts";

/** Questions of one isolate under way at a time: a region that is away must not carry its load to the core. */
const QUESTIONS_MAX = 8;
const CORE_DEADLINE_MS = 2000;

/**
 * The last place to ask (E4): the core, about one config at a time. It answers for whom the region's replica does not,
 * and only as far as `QUESTIONS_MAX` lets it.
 */
export class CoreFallback {
  readonly #core: EdgeCore;
  #underWay = 0;

  constructor(core: EdgeCore) {
    this.#core = core;
  }

  /** What the core's leader says of `config` and of the token. Throws `unavailable` when it cannot be asked now. */
  read(config: string, token: VerifiedClientToken): Promise<EdgeConfigAnswer> {
    return this.#ask(() =>
      this.#core.edgeConfig({ name: config, jti: token.jti }, { consistency: "leader" }),
    );
  }

  /** The bytes of a content too large to come with `read`, checked against their hash. */
  content(tenant: string, sha256: string): Promise<Uint8Array> {
    return this.#ask(async () => {
      const bytes = new Uint8Array(await this.#core.getBlob({ tenant, sha256 }));
      if ((await sha256Hex(bytes)) !== sha256)
        throw new Error(`the core gave other bytes for content ${sha256}`);
      return bytes;
    });
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    if (this.#underWay >= QUESTIONS_MAX) {
      throw new ConfluxError("unavailable", "the region is away, and too many ask the core", {
        retryAfterS: 1,
      });
    }
    this.#underWay += 1;
    try {
      return await withDeadline(question(), CORE_DEADLINE_MS, "the core");
    } finally {
      this.#underWay -= 1;
    }
  }
}

/** The document as the region's replica would have compiled it; contents that did not come along are null. */
export function compileAnswer(
  { config, blobs }: EdgeConfigAnswer & { config: object },
  region: string,
): CompiledDocument {
  return compileDocument({
    event: config,
    region,
    inline: (sha256) => {
      const blob = blobs[sha256];
      return blob === undefined ? undefined : Uint8Array.from(atob(blob), (char) => char.charCodeAt(0));
    },
  });
}
