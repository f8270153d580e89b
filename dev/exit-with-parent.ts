/**
 * Loaded first (`node --import`) into every Node child of the stack: when the supervisor is gone, however it went, the
 * channel closes and the child stops as if asked to.
 */
const ORPHAN_STOP_MS = 4_000;

process.on("disconnect", () => {
  setTimeout(() => process.kill(process.pid, "SIGKILL"), ORPHAN_STOP_MS).unref();
  process.kill(process.pid, "SIGTERM");
});
// The listener alone must not keep a child alive that is otherwise done.
process.channel?.unref();
