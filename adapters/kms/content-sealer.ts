import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { ContentRef, Rewrapping } from "../../domain/command/command.ts";
import { contentsOf } from "../../domain/command/content-of.ts";
import { stateKey, type StateView } from "../../domain/command/state-view.ts";
import { type ConfigIdentity, identityOf } from "../../domain/encryption/envelope-text.ts";
import {
  listSealedVersions,
  type RewrapScope,
  type SealedVersion,
} from "../../domain/encryption/list-sealed-versions.ts";
import { type PreparedCommand, withContents } from "../../domain/encryption/with-content.ts";
import type { KeyService } from "./key-service.ts";
import { rewrapContent, sealContent } from "./seal-content.ts";

/** Contents that wait for the key service at a time, each in memory; more are refused. */
const SEALINGS_MAX = 64;
/** Data keys that the key service makes at a time for one command, ... */
const PARALLEL_SEALINGS_MAX = 8;
/** ... and wraps anew for one request. */
const PARALLEL_REWRAPS_MAX = 8;
/** After this long a command whose contents are not all sealed is refused, before its caller gives up. */
const SEALING_MS_MAX = 4_000;
/** After this long a request for new wrappings ends with what it has. */
const REWRAP_MS_MAX = 5_000;

/** The keys that a caller names: of applications by name, and of every other one; null: the core's default. */
export interface SealingKeys {
  keyId: string | null;
  byApp: Readonly<Record<string, string>>;
}

export interface ContentSealerOptions {
  keys: KeyService;
  /** The key for applications that have none of their own; null: those cannot encrypt. */
  defaultKeyId: string | null;
}

/** What a core does with contents that must be encrypted, before its log has them. */
export class ContentSealer {
  readonly #keys: KeyService;
  readonly #defaultKeyId: string | null;
  #underWay = 0;

  constructor({ keys, defaultKeyId }: ContentSealerOptions) {
    this.#keys = keys;
    this.#defaultKeyId = defaultKeyId;
  }

  /**
   * The command with those contents sealed that have an identity, each under its application's key of `under`. `identities`
   * are of each of `contentsOf`, in order. Throws `conflict` where there is no key, and `key_service_unavailable`; what was
   * sealed by then is dropped.
   */
  async seal(
    { command, attachments }: PreparedCommand,
    { identities, under }: { identities: readonly (ConfigIdentity | null)[]; under: SealingKeys },
  ): Promise<PreparedCommand> {
    const given = contentsOf(command).map((content, i) => {
      const bytes = attachments[content.attachment];
      if (bytes === undefined) throw new Error(`a ${command.kind} without content was to be sealed`);
      return { bytes, sha256: content.sha256, identity: identities[i] ?? null };
    });
    const startedMs = performance.now();
    const made: { bytes: Uint8Array; ref: ContentRef }[] = [];
    for (let i = 0; i < given.length; i += PARALLEL_SEALINGS_MAX) {
      if (i > 0 && performance.now() - startedMs > SEALING_MS_MAX)
        throw unavailable("the key service is too slow for so many contents");
      const some = given.slice(i, i + PARALLEL_SEALINGS_MAX).map(async ({ bytes, sha256, identity }, k) => {
        const attachment = i + k;
        if (identity === null) return { bytes, ref: { attachment, sha256 } };
        const { bytes: envelope, ...sealed } = await this.#sealOne(bytes, identity, under);
        return { bytes: envelope, ref: { attachment, ...sealed } };
      });
      // All of them, so that none goes on when another has failed.
      for (const answer of await Promise.allSettled(some)) {
        if (answer.status === "rejected") throw answer.reason;
        made.push(answer.value);
      }
    }
    const refs = made.map(({ ref }) => ref).values();
    const next = (): ContentRef => {
      const { value } = refs.next();
      if (value === undefined) throw new Error(`a ${command.kind} has more contents than it had`);
      return value;
    };
    return { command: withContents(command, next), attachments: made.map(({ bytes }) => bytes) };
  }

  async #sealOne(plaintext: Uint8Array, identity: ConfigIdentity, { keyId, byApp }: SealingKeys) {
    const own = Object.hasOwn(byApp, identity.app) ? byApp[identity.app] : undefined;
    const usedKeyId = own ?? keyId ?? this.#defaultKeyId;
    if (usedKeyId === null) {
      throw new ConfluxError(
        "conflict",
        `the application ${identity.tenant}/${identity.app} has no KMS key (kms_key_id), and there is no default one`,
      );
    }
    if (this.#underWay >= SEALINGS_MAX) throw unavailable("too many contents wait for the key service");
    this.#underWay += 1;
    try {
      return await sealContent(this.#keys, { keyId: usedKeyId, identity, plaintext });
    } finally {
      this.#underWay -= 1;
    }
  }

  /**
   * New wrappings of the data keys in `scope` behind `cursor`, as many as one command takes. Each goes to its application's
   * key of `keys`, else to the default one, else to the key that it has. Ends early, with what it has, when the key
   * service fails or is slow; throws its refusal only when it has nothing.
   */
  async rewrap(
    state: StateView,
    { keys, ...asked }: RewrapScope & { cursor: string | null; keys: Readonly<Record<string, string>> },
  ): Promise<{ items: Rewrapping[]; next_cursor: string | null }> {
    const startedMs = performance.now();
    const listed = listSealedVersions(state, asked);
    const items: Rewrapping[] = [];
    let done = asked.cursor;
    for (let i = 0; i < listed.items.length; i += PARALLEL_REWRAPS_MAX) {
      const some = listed.items.slice(i, i + PARALLEL_REWRAPS_MAX);
      const answers = await Promise.allSettled(some.map((sealed) => this.#rewrapOne(state, sealed, keys)));
      for (const [k, answer] of answers.entries()) {
        if (answer.status === "rejected") {
          if (items.length === 0) throw answer.reason;
          return { items, next_cursor: done };
        }
        if (answer.value !== null) items.push(answer.value);
        done = some[k]?.cursor ?? done;
      }
      const isLast = i + PARALLEL_REWRAPS_MAX >= listed.items.length;
      if (!isLast && performance.now() - startedMs > REWRAP_MS_MAX) return { items, next_cursor: done };
    }
    return { items, next_cursor: listed.next_cursor };
  }

  async #rewrapOne(
    state: StateView,
    { config, version }: SealedVersion,
    keys: Readonly<Record<string, string>>,
  ): Promise<Rewrapping | null> {
    const { namespace, name, id } = config;
    const envelope = state.bytes(stateKey.blob(namespace.tenant, version.sha256));
    // Gone since it was listed.
    if (envelope === undefined) return null;
    const own = Object.hasOwn(keys, namespace.app) ? keys[namespace.app] : undefined;
    const { sha256, ...head } = await rewrapContent(this.#keys, {
      envelope,
      identity: identityOf(namespace, name),
      toKeyId: own ?? this.#defaultKeyId ?? version.sealed.key_id,
    });
    return {
      config_id: id,
      version_id: version.version_id,
      from_sha256: version.sha256,
      to_sha256: sha256,
      ...head,
    };
  }
}

function unavailable(detail: string): ConfluxError {
  return new ConfluxError("key_service_unavailable", detail, { retryAfterS: 1 });
}
