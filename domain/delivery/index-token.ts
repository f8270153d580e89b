/** A place in a cluster's log, as clients see it (api.md: `<cluster>.<epoch>.<n>.<signature>`). */
export interface IndexPosition {
  cluster_id: string;
  epoch: number;
  index: number;
}

/** Characters of an index token; longer ones are not looked at. */
export const INDEX_TOKEN_CHARS_MAX = 256;
const TOKEN = /^(.+)\.(\d{1,15})\.(\d{1,15})\.([A-Za-z0-9_-]+)$/;

/** What is signed: the token without its signature. */
export function indexTokenPayload({ cluster_id, epoch, index }: IndexPosition): string {
  return `${cluster_id}.${epoch}.${index}`;
}

export function formatIndexToken(position: IndexPosition, signature: string): string {
  return `${indexTokenPayload(position)}.${signature}`;
}

/**
 * Splits a token into its position and its signature, unverified; null for anything else. Only the one spelling that
 * `formatIndexToken` writes is accepted (no leading zeros), so that equal positions are equal texts.
 */
export function parseIndexToken(token: string): { position: IndexPosition; signature: string } | null {
  if (token.length > INDEX_TOKEN_CHARS_MAX) return null;
  const match = TOKEN.exec(token);
  if (match === null) return null;
  const [, cluster_id, epoch, index, signature] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
  ];
  const position = { cluster_id, epoch: Number(epoch), index: Number(index) };
  return formatIndexToken(position, signature) === token ? { position, signature } : null;
}
