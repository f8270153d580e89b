/** Writes a function's log lines, each as JSON with the function's name, to where AWS collects them. */
export function functionLog(name: string): (line: Record<string, unknown>) => void {
  // oxlint-disable-next-line no-console -- the console is where a function's log lines are collected
  return (line) => console.log(JSON.stringify({ function: name, ...line }));
}
