import { readFileSync } from "node:fs";

export interface Tour {
  script: string;
  /** What the line before a `# => text` must print last. */
  expectations: { line: string; text: string }[];
}

/** The commands between the two marks of a document, with what each must print, from its `# => text` lines. */
export function readTour(document: string): Tour {
  const whole = readFileSync(document, "utf8");
  const tour = whole.slice(whole.indexOf("<!-- tour: begin -->"), whole.indexOf("<!-- tour: end -->"));
  const script: string[] = [];
  const expectations: Tour["expectations"] = [];
  for (const [, block = ""] of tour.matchAll(/```bash\n([\s\S]*?)```/g)) {
    for (const line of block.trimEnd().split("\n")) {
      if (!line.startsWith("# => ")) {
        script.push(line);
        continue;
      }
      // A marker in the output shows where the command before it had ended.
      script.push(`printf '\\n@@%s\\n' ${expectations.length}`);
      expectations.push({ line: script.at(-2) ?? "", text: line.slice(5) });
    }
  }
  return { script: script.join("\n"), expectations };
}
