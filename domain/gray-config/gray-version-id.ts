/** The unique name of one version of a typed config (`version_id` of seed 000): never given to another one. */
export function grayVersionId(configId: string, version: number): string {
  return `${configId}-v${version}`;
}

/** The version's number in its config; null for a name that is none of this config's. */
export function parseGrayVersionId(configId: string, text: string): number | null {
  const digits = text.startsWith(`${configId}-v`) ? text.slice(configId.length + 2) : "";
  return /^[1-9]\d{0,14}$/.test(digits) ? Number(digits) : null;
}
