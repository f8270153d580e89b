/** What keeps a version, whatever its config's retention says. */
export type VersionHold = "latest" | "rule" | "publish" | "change_request" | "bundle";

/** A version that was to be removed and was not: it is held, not due, not there, or not as it was archived. */
export interface KeptVersion {
  version_id: number;
  why: VersionHold | "not_due" | "gone" | "changed";
}
