const ANY_PORT = ":*";

/**
 * The address to send a browser back to, when it is of one of `origins`; null otherwise. `http://127.0.0.1:*` is any port of
 * this machine (RFC 8252, 7.3: a command line takes the port it gets).
 */
export function allowedRedirect(address: string, origins: readonly string[]): URL | null {
  if (!URL.canParse(address)) return null;
  const url = new URL(address);
  if (url.username !== "" || url.password !== "" || !["https:", "http:"].includes(url.protocol)) return null;
  const anyPort = `${url.protocol}//${url.hostname}${ANY_PORT}`;
  const isLoopback = ["127.0.0.1", "[::1]"].includes(url.hostname);
  return origins.includes(url.origin) || (isLoopback && origins.includes(anyPort)) ? url : null;
}
