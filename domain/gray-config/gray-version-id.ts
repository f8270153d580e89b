/** The unique name of one version of a typed config (`version_id` of seed 000): never given to another one. */
export function grayVersionId(configId: string, version: number): string {
  return `${configId}-v${version}`;
}

/** The config, and the number of the version in it, that a `version_id` names; null for a text that is none. */
export function readGrayVersionId(text: string): { configId: string; version: number } | null {
  const [, configId, digits] = /^(cfg-.+)-v([1-9]\d{0,14})$/.exec(text) ?? [];
  return configId === undefined ? null : { configId, version: Number(digits) };
}
