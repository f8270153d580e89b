/**
 * How Node is told to run a core node, wherever one is started. The space for young objects has its full size (MiB) from the
 * beginning and keeps it: V8 lets it grow and shrink with the load, and each time the system must clear pages anew. Measured
 * in docs/performance.md.
 */
export const CORE_NODE_FLAGS: readonly string[] = ["--min-semi-space-size=16", "--max-semi-space-size=16"];
