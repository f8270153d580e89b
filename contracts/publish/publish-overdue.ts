/** What a leader logs, once a minute, of a plan that is due and that nobody moves on; an alarm waits for it. */
export const PUBLISH_OVERDUE_LINE = "a publish plan is overdue";
