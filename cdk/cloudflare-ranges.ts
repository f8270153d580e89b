/**
 * The IPv4 addresses that Cloudflare connects from (https://www.cloudflare.com/ips-v4). Compared in November 2026 with
 * several public copies of that list, which agree on these fifteen; not with the page itself, so compare before the first
 * deployment. The client certificate is what admits a caller; these only keep everybody else from the handshake.
 */
export const CLOUDFLARE_IPV4_RANGES = [
  "173.245.48.0/20",
  "103.21.244.0/22",
  "103.22.200.0/22",
  "103.31.4.0/22",
  "141.101.64.0/18",
  "108.162.192.0/18",
  "190.93.240.0/20",
  "188.114.96.0/20",
  "197.234.240.0/22",
  "198.41.128.0/17",
  "162.158.0.0/15",
  "104.16.0.0/13",
  "104.24.0.0/14",
  "172.64.0.0/13",
  "131.0.72.0/22",
] as const;
