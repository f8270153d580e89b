/** Names in the tokens that the admin Worker issues and the edge verifies. One pinned algorithm: EdDSA (Ed25519). */
export const TOKEN_ALGORITHM = "EdDSA";
export const TOKEN_ISSUER = "conflux";
/** Audience and `typ` of a client token (fetch plane). */
export const CLIENT_TOKEN_AUDIENCE = "conflux-edge";
export const CLIENT_TOKEN_TYPE = "conflux-client+jwt";
/** Audience and `typ` of an access token (control plane). */
export const ACCESS_TOKEN_AUDIENCE = "conflux-admin";
export const ACCESS_TOKEN_TYPE = "conflux-access+jwt";
export const REFRESH_TOKEN_TYPE = "conflux-refresh+jwt";

/** Claims of a client token, besides the registered iss, aud, exp, iat. */
export interface ClientTokenClaims {
  /** Id of the client token. */
  sub: string;
  jti: string;
  tenant: string;
  /** `read:tenant/app/env/*` and the like; `*` is one segment, `**` the rest. */
  scopes: string[];
}
/** Claims of an access token. Permissions are not in it: they are read when they are needed. */
export interface AccessTokenClaims {
  /** Id of the user. */
  sub: string;
  jti: string;
  /** The user's name, for audit rows. */
  name: string;
}
