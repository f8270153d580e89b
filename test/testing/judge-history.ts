import { checkLinearizable, versionModel } from "../../consensus/sim/linearizability.ts";
import { FIRST_VALUE, type LoadHistory } from "./core-load.ts";

/**
 * Everything that is wrong with what clients saw, in words: an order that cannot be, an acknowledged write that is lost,
 * one that is there twice or under another number, a read of what never was. Empty when nothing is.
 */
export function judgeHistory({ operations, weakReads, final }: LoadHistory): string[] {
  const found: string[] = [];
  const model = { ...versionModel, initial: { version: 1, value: FIRST_VALUE } };
  const verdict = checkLinearizable(operations, model);
  if (!verdict.ok) found.push(`${verdict.reason} at ${verdict.key}: ${verdict.explanation}`);
  for (const [key, versions] of Object.entries(final)) {
    versions.forEach(({ version }, i) => {
      if (version !== i + 1) found.push(`${key}: version ${version} stands at place ${i + 1}`);
    });
    const values = versions.map(({ value }) => value);
    const doubled = values.filter((value, i) => values.indexOf(value) !== i);
    if (doubled.length > 0) found.push(`${key}: applied twice: ${doubled.join(", ")}`);
  }
  const isTrue = (key: string, version: number, value: string | null): boolean =>
    final[key]?.[version - 1]?.value === value;
  for (const { key, client, output, input } of operations) {
    if (output !== null && !isTrue(key, output.version, output.value)) {
      found.push(`${key}: ${client} ${input.kind} ${output.version} "${output.value}" is not there any more`);
    }
  }
  for (const { key, client, version, value } of weakReads) {
    if (!isTrue(key, version, value)) found.push(`${key}: ${client} read "${value}" as version ${version}`);
  }
  return found;
}
