/**
 * A release rule: which version a client gets whose labels include all of `labels`
 * (seed 003, "Release"). Label names are stored in lower case; values are compared exactly.
 */
export interface ReleaseRule {
  labels: Record<string, string>;
  version_id: number;
  /** Higher wins; ties: the rule with more labels, then the lower position in the list. */
  priority: number;
  /** Trusted conditions, known from where the request arrived and never from the client. */
  edge?: { regions: string[] } | undefined;
  /** The running publish plan that owns the rule; absent on every rule that a user wrote. */
  publish_id?: string | undefined;
}
