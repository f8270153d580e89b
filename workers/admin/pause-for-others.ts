/** Lets whatever else waits for this isolate run: a turn of the event loop, which a settled promise alone is not. */
export function pauseForOthers(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
}
