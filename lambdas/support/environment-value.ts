/** A variable of the function's environment. Throws an Error that names it when it is not set. */
export function environmentValue(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}
