import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Rewrapping } from "../../domain/command/command.ts";
import { contentOf } from "../../domain/command/content-of.ts";
import { stateKey, type StateView } from "../../domain/command/state-view.ts";
import { type ConfigIdentity, identityOf } from "../../domain/encryption/envelope-text.ts";
import {
  listSealedVersions,
  type RewrapScope,
  type SealedVersion,
} from "../../domain/encryption/list-sealed-versions.ts";
import { type PreparedCommand, withContent } from "../../domain/encryption/with-content.ts";
import type { KeyService } from "./key-service.ts";
import { rewrapContent, sealContent, type SealedBytes } from "./seal-content.ts";

/** Contents that wait for the key service at a time, each in memory; more are refused. */
const SEALINGS_MAX = 64;
/** Data keys that the key service wraps anew at a time for one request. */
const PARALLEL_REWRAPS_MAX = 8;
/** After this long a request for new wrappings ends with what it has. */
const REWRAP_MS_MAX = 5_000;

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
   * The command with its content sealed for `identity`, under `keyId` or, for null, the default key. Throws `conflict`
   * when there is neither, and `key_service_unavailable`.
   */
  async seal(
    { command, attachments }: PreparedCommand,
    { identity, keyId }: { identity: ConfigIdentity; keyId: string | null },
  ): Promise<PreparedCommand> {
    const content = contentOf(command);
    const plaintext = content === null ? undefined : attachments[content.attachment];
    if (plaintext === undefined) throw new Error(`a ${command.kind} without content was to be sealed`);
    const { bytes, sha256, sealed } = await this.sealBytes(plaintext, { identity, keyId });
    return { command: withContent(command, { attachment: 0, sha256, sealed }), attachments: [bytes] };
  }

  /** The same for bytes that are no version of their own, such as a secret inside a typed config (P7). */
  async sealBytes(
    plaintext: Uint8Array,
    { identity, keyId }: { identity: ConfigIdentity; keyId: string | null },
  ): Promise<SealedBytes> {
    const usedKeyId = keyId ?? this.#defaultKeyId;
    if (usedKeyId === null) {
      throw new ConfluxError(
        "conflict",
        `the application ${identity.tenant}/${identity.app} has no KMS key (kms_key_id), and there is no default one`,
      );
    }
    if (this.#underWay >= SEALINGS_MAX) {
      throw new ConfluxError("key_service_unavailable", "too many contents wait for the key service", {
        retryAfterS: 1,
      });
    }
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
