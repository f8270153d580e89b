/**
 * The client's `fetch` option for a Worker whose calls go through a binding (which presents a client certificate);
 * nothing without one, so that the global fetch is used. A binding's fetch must be called as its method.
 */
export function fetchThrough(binding: { fetch: typeof fetch } | undefined): { fetch?: typeof fetch } {
  return binding === undefined ? {} : { fetch: (input, init) => binding.fetch(input, init) };
}
