import { createServer } from "node:http";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { CLIENT_ID, close, listen } from "./oidc.ts";

type Claims = Record<string, unknown>;

/** An OpenID provider that says what a test wants: what a certified one never would. */
export interface LyingProvider {
  readonly issuer: string;
  /** What the next ID token says instead of the truth. */
  claims: Claims;
  /** Signs with a key that is not published. */
  isForged: boolean;
  /** What the token endpoint answers instead; null: tokens. */
  tokenAnswer: { status: number; body: string } | null;
  /** Of the sign-in on its way. */
  nonce: string;
  stop(): Promise<void>;
}

export async function startLyingProvider(): Promise<LyingProvider> {
  const [published, other] = [await generateKeyPair("RS256"), await generateKeyPair("RS256")];
  const jwk = { ...(await exportJWK(published.publicKey)), kid: "k1", alg: "RS256", use: "sig" };
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0];
    void answer(path ?? "").then(({ status, body }) =>
      response.writeHead(status, { "content-type": "application/json" }).end(body),
    );
  });
  const issuer = await listen(server);
  const found = (body: object) => ({ status: 200, body: JSON.stringify(body) });

  async function answer(path: string): Promise<{ status: number; body: string }> {
    if (path === "/.well-known/openid-configuration") {
      return found({
        issuer,
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/jwks`,
        response_types_supported: ["code"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["RS256"],
      });
    }
    if (path === "/jwks") return found({ keys: [jwk] });
    if (running.tokenAnswer !== null) return running.tokenAnswer;
    const nowS = Math.floor(Date.now() / 1000);
    const truth: Claims = {
      iss: issuer,
      aud: CLIENT_ID,
      sub: "sub-1",
      nonce: running.nonce,
      iat: nowS,
      exp: nowS + 60,
      email: "reader@example.com",
      email_verified: true,
    };
    const id_token = await new SignJWT({ ...truth, ...running.claims })
      .setProtectedHeader({ alg: "RS256", kid: "k1" })
      .sign(running.isForged ? other.privateKey : published.privateKey);
    return found({ access_token: "x", token_type: "Bearer", expires_in: 60, id_token });
  }

  const running: LyingProvider = {
    issuer,
    claims: {},
    isForged: false,
    tokenAnswer: null,
    nonce: "",
    stop: () => close(server),
  };
  return running;
}
