import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { CommandPayloads, ContentRef } from "../../domain/command/command.ts";
import { contentsOf } from "../../domain/command/content-of.ts";
import { stateKey, type StateView } from "../../domain/command/state-view.ts";
import type { ConfigIdentity } from "../../domain/encryption/envelope-text.ts";
import type { RewrapScope } from "../../domain/encryption/envelope-place.ts";
import { listEnvelopes, type ListedEnvelope } from "../../domain/encryption/list-envelopes.ts";
import { type PreparedCommand, withContents } from "../../domain/encryption/with-content.ts";
import type { KeyService } from "./key-service.ts";
import { rewrapContent, sealContent, type SealedBytes } from "./seal-content.ts";

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

  #sealOne(
    plaintext: Uint8Array,
    identity: ConfigIdentity,
    { keyId, byApp }: SealingKeys,
  ): Promise<SealedBytes> {
    const own = Object.hasOwn(byApp, identity.app) ? byApp[identity.app] : undefined;
    return this.sealBytes(plaintext, { identity, keyId: own ?? keyId });
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
  ): Promise<Rewrappings> {
    const startedMs = performance.now();
    const listed = listEnvelopes(state, asked);
    const made: Made[] = [];
    let done = asked.cursor;
    for (let i = 0; i < listed.items.length; i += PARALLEL_REWRAPS_MAX) {
      const some = listed.items.slice(i, i + PARALLEL_REWRAPS_MAX);
      const answers = await Promise.allSettled(
        some.map((envelope) => this.#rewrapOne(state, envelope, keys)),
      );
      for (const [k, answer] of answers.entries()) {
        if (answer.status === "rejected") {
          if (made.length === 0) throw answer.reason;
          return { ...sorted(made), next_cursor: done };
        }
        if (answer.value !== null) made.push(answer.value);
        done = some[k]?.cursor ?? done;
      }
      const isLast = i + PARALLEL_REWRAPS_MAX >= listed.items.length;
      if (!isLast && performance.now() - startedMs > REWRAP_MS_MAX)
        return { ...sorted(made), next_cursor: done };
    }
    return { ...sorted(made), next_cursor: listed.next_cursor };
  }

  async #rewrapOne(
    state: StateView,
    { owner, sha256, at, identity }: ListedEnvelope,
    keys: Readonly<Record<string, string>>,
  ): Promise<Made | null> {
    const bytes = state.bytes(stateKey.blob(identity.tenant, sha256));
    // Gone since it was listed.
    if (bytes === undefined) return null;
    const own = Object.hasOwn(keys, identity.app) ? keys[identity.app] : undefined;
    const toKeyId = own ?? this.#defaultKeyId;
    const {
      before,
      after,
      sha256: to_sha256,
    } = await rewrapContent(this.#keys, { bytes, at, identity, toKeyId });
    const hashes = { from_sha256: sha256, to_sha256 };
    switch (owner.of) {
      case "version":
        return { items: { ...versionOf(owner), ...hashes, ...after } };
      case "part":
        return { parts: { ...versionOf(owner), from_wrapped_key: before.wrapped_key, ...after } };
      default:
        return { held: { change_request_id: owner.change_request_id, ...hashes, ...after } };
    }
  }
}

type Rewrappings = Omit<CommandPayloads["rewrap_keys"], "resource">;
/** One new wrapping, by the list of the command that it goes into. */
interface Made {
  items?: Rewrappings["items"][number];
  parts?: NonNullable<Rewrappings["parts"]>[number];
  held?: NonNullable<Rewrappings["held"]>[number];
}

function sorted(made: readonly Made[]): Omit<Rewrappings, "next_cursor"> {
  const parts = made.flatMap((one) => one.parts ?? []);
  const held = made.flatMap((one) => one.held ?? []);
  return {
    items: made.flatMap((one) => one.items ?? []),
    ...(parts.length === 0 ? {} : { parts }),
    ...(held.length === 0 ? {} : { held }),
  };
}

function versionOf({ config_id, version_id }: { config_id: string; version_id: number }) {
  return { config_id, version_id };
}

function unavailable(detail: string): ConfluxError {
  return new ConfluxError("key_service_unavailable", detail, { retryAfterS: 1 });
}
