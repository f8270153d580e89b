import { resolve } from "node:path";
import type { Command } from "commander";
import type { BundleDocument } from "../contracts/bundle/bundle-schemas.ts";
import { CliError, type CliIo, EXIT } from "./cli-io.ts";
import { declareVerb } from "./declare-verb.ts";
import { toYaml } from "./to-yaml.ts";
import { writeBundle } from "./write-bundle.ts";

/** `conflux export` */
export function registerBundleExport(group: Command, io: CliIo): void {
  const command = group
    .command("export")
    .description("configs as a bundle, for a file or a directory in Git")
    .requiredOption("--tenant <name>", "whose configs")
    .option("--app <name>", "of one application alone")
    .option("--env <name>", "of one env alone")
    .option("--bundle <id>", "the bundle's id (made of the names)")
    .option(
      "--dir <path>",
      "write one file a config, with its metadata beside it, instead of YAML to standard output",
    );
  declareVerb(command, io, async ({ api, flags, show }) => {
    const query = new URLSearchParams();
    for (const name of ["tenant", "app", "env", "bundle"])
      if (typeof flags[name] === "string") query.set(name, flags[name]);
    const document = (await api.get(`/mgt/export?${query.toString()}`)) as BundleDocument;
    if (document.configs.length === 0) {
      // Nor is a directory emptied, which `--dir` would do: it is more often a name that is misspelt than all of it deleted.
      const { tenant, app = "*", env = "*" } = document.bundle;
      throw new CliError(EXIT.refused, `there is nothing to export in ${tenant}/${app}/${env}`);
    }
    const { dir } = flags;
    if (typeof dir === "string") {
      writeBundle(resolve(io.cwd, dir), document);
      io.out(`${document.configs.length} configs in ${dir}`);
    } else show(document, () => io.out(toYaml(document).trimEnd()));
  });
}
