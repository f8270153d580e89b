import type { WindowVerdict } from "../../domain/quota/sliding-window.ts";

/** What a `RequestWindow` answers. */
export interface RequestWindowRpc {
  take(limit: number): WindowVerdict | Promise<WindowVerdict>;
}

/** The windows in which requests are counted, by name. Rejects when the window is away. */
export interface RequestWindows {
  take(name: string, limit: number): Promise<WindowVerdict>;
}

/** How long a window may take to answer; no request is held up longer for being counted. */
const WINDOW_DEADLINE_MS = 500;

/** The windows behind a binding of `RequestWindow` objects. */
export function openRequestWindows(
  namespace: { getByName(name: string): { take(limit: number): Promise<WindowVerdict> } },
  deadlineMs: number = WINDOW_DEADLINE_MS,
): RequestWindows {
  return {
    take: async (name, limit) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => {
          reject(new Error(`no answer within ${deadlineMs} ms`));
        }, deadlineMs);
      });
      try {
        return await Promise.race([namespace.getByName(name).take(limit), late]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
