import { projectFeed, type ProjectionDeps, type ProjectionReport } from "./support/project-feed.ts";

/** The part of Lambda's context that the handler reads. */
export interface InvocationContext {
  getRemainingTimeInMillis(): number;
}

/**
 * Projects the core's feed into Postgres until shortly before the invocation's deadline. Started by a schedule; two at
 * once do no harm. Rejects, and so fails the invocation, when the core or Postgres is away.
 */
export function createHandler(deps: Omit<ProjectionDeps, "remainingMs">) {
  return (_event: unknown, context: InvocationContext): Promise<ProjectionReport> =>
    projectFeed({ ...deps, remainingMs: () => context.getRemainingTimeInMillis() });
}
