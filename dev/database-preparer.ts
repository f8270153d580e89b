/**
 * Child of the supervisor that brings the database up to date and ends: waits for one message (the supervisor sends it
 * once Postgres answers), prepares, answers with one.
 */
import { type FirstAccess, type PreparationInput, prepareDatabase } from "./prepare-database.ts";

export type PreparationAnswer = { ok: true; access: FirstAccess } | { ok: false; error: string };

// The guard of exit-with-parent.ts lets go of the channel; here it is what there is to wait for.
process.channel?.ref();
process.once("message", (input: PreparationInput) => {
  void prepareDatabase(input)
    .then(
      (access): PreparationAnswer => ({ ok: true, access }),
      (error: unknown): PreparationAnswer => ({
        ok: false,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
    )
    .then((answer) => process.send?.(answer, () => process.exit(0)));
});
