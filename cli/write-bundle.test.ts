import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readBundle } from "./read-bundle.ts";
import { toYaml } from "./to-yaml.ts";
import { writeBundle } from "./write-bundle.ts";

const HEAD = { id: "team", tenant: "demo", app: "shop", env: "prod" };
const directory = (): string => mkdtempSync(join(tmpdir(), "conflux-bundle-"));
const entry = (name: string, content = "x\n") => ({
  name,
  format: "text" as const,
  content,
  description: "",
  retention: null,
  versions: [],
});

describe("C13 a bundle as a directory", () => {
  it("C13 is read back as it was written, whatever its configs are called", () => {
    const root = directory();
    const configs = ["README.md", "a", "a.yaml", "bundle.json", "constructor", "x".repeat(100)].map((name) =>
      entry(name, `of ${name}\n`),
    );
    writeBundle(root, { bundle: HEAD, configs });
    const read = readBundle(root);
    expect(read.configs.map(({ name, content }) => [name, content])).toEqual(
      configs.map(({ name, content }) => [name, content]),
    );
  });

  it.each(["bundle.yaml", "a.meta.yaml", "b.meta.yaml"])(
    "C13 refuses a config called %s, which would be read back as something else, and writes nothing",
    (name) => {
      const root = directory();
      writeBundle(root, { bundle: HEAD, configs: [entry("a")] });
      const before = readdirSync(root);
      const write = (): void =>
        writeBundle(root, { bundle: HEAD, configs: [entry("a", "y\n"), entry(name)] });
      expect(write).toThrow(`no directory can hold a config of the name ${name}`);
      expect([readdirSync(root), readFileSync(join(root, "a"), "utf8")]).toEqual([before, "x\n"]);
    },
  );

  it("C13 takes such a name for the head's file at the top alone", () => {
    const root = directory();
    const { env: _env, ...bundle } = HEAD;
    writeBundle(root, { bundle, configs: [{ ...entry("bundle.yaml"), env: "prod" }] });
    expect(readBundle(root).configs).toMatchObject([{ env: "prod", name: "bundle.yaml", content: "x\n" }]);
  });

  it.each(["  \n", " \n \n", "\n", " \t\n", "a\n", "", " \n a"])("C13 YAML means %j again", (text) => {
    expect(parse(toYaml({ text, list: [{ text }] }))).toEqual({ text, list: [{ text }] });
  });
});
