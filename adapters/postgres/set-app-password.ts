import postgres from "postgres";

/**
 * Lets `conflux_app` log in with `password` (run as a role that may alter it, after the migrations). Answers the URL of
 * the same database as that role. Repeatable; a new password replaces the old one.
 */
export async function setAppPassword(input: { ownerUrl: string; password: string }): Promise<string> {
  const client = postgres(input.ownerUrl, { max: 1, onnotice: () => undefined });
  try {
    // ALTER ROLE takes no parameters, so the server itself quotes the password.
    const [row] = await client<{ statement: string }[]>`
      select format('ALTER ROLE conflux_app LOGIN PASSWORD %L', ${input.password}::text) as statement`;
    if (row === undefined) throw new Error("the database answered no row");
    await client.unsafe(row.statement);
  } finally {
    await client.end({ timeout: 1 });
  }
  const url = new URL(input.ownerUrl);
  url.username = "conflux_app";
  url.password = encodeURIComponent(input.password);
  return url.href;
}
