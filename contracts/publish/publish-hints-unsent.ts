/** What the projection logs of hints that it could not send; an alarm waits for it. */
export const PUBLISH_HINTS_UNSENT_LINE = "publish hints not sent";
