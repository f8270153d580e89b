import { TestingChanges } from "../change-request/testing-changes.ts";
import type { CommandPayloads } from "../command/command.ts";
import type { CommandResults } from "../command/command-result.ts";
import { scanAll } from "../command/scan-all.ts";
import { stateKey } from "../command/state-view.ts";
import { testConfigPayload } from "../command/testing-commands.ts";
import type { ConfigVersion, Retention } from "../config/config.ts";
import { findDueVersions } from "./due-versions.ts";

export const DAY_MS = 24 * 60 * 60 * 1000;

/** A state with configs whose versions are made, and removed by their retention, at a time that a test sets. */
export class TestingRetention extends TestingChanges {
  /** A config whose contents are `0`, `1`, ... unless they are given; its rules may name any. Answers its id. */
  create(
    name: string,
    versions: number | readonly string[],
    { releases = [], ...more }: Partial<CommandPayloads["create_config"]> = {},
  ): string {
    const letters =
      typeof versions === "number"
        ? Array.from({ length: versions }, (_, i) => "0123456789abcdef"[i % 16] ?? "0")
        : versions;
    const [first = "0", ...rest] = letters;
    const payload = testConfigPayload(name, first.repeat(64), more);
    const { config } = this.done("create_config", payload);
    for (const letter of rest) this.addVersion(config.id, letter);
    if (releases.length > 0) this.done("put_releases", { config_id: config.id, releases });
    return config.id;
  }

  addVersion(configId: string, letter: string): number {
    const content = { attachment: 0, sha256: letter.repeat(64) };
    const payload = { config_id: configId, content, format: null, schema: null, description: "" };
    return this.done("create_version", payload).version.version_id;
  }

  keep(configId: string, retention: Retention | null): void {
    this.done("set_retention", { config_id: configId, retention });
  }

  /** The numbers of the versions that are there. */
  versions(configId: string): number[] {
    return this.#rows(configId).map(({ version_id }) => version_id);
  }

  due(configId: string): number[] {
    return findDueVersions(this.state, this.config(configId), this.nowMs).map(({ version_id }) => version_id);
  }

  /** The command that a core proposes for these versions, as they are now. */
  pruning(configId: string, versionIds: readonly number[]): CommandPayloads["prune_versions"] {
    const rows = new Map(this.#rows(configId).map((version) => [version.version_id, version.sha256]));
    return {
      config_id: configId,
      versions: versionIds.map((version_id) => ({
        version_id,
        sha256: rows.get(version_id) ?? "f".repeat(64),
      })),
      archive: "c1/versions/demo/x/",
      form: 2,
    };
  }

  prune(configId: string, versionIds: readonly number[]): CommandResults["prune_versions"] {
    return this.done("prune_versions", this.pruning(configId, versionIds));
  }

  #rows(configId: string): ConfigVersion[] {
    const rows = [...scanAll(this.state, stateKey.versionPrefix(configId))];
    return rows.map(({ value }) => value as ConfigVersion);
  }
}
