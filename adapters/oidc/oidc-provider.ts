import {
  allowInsecureRequests,
  authorizationCodeGrant,
  AuthorizationResponseError,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  ClientError,
  ClientSecretBasic,
  type Configuration,
  customFetch,
  type CustomFetchOptions,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  None,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
  ResponseBodyError,
} from "openid-client";
import type { OidcSettings } from "../../contracts/access/session-api.ts";
import { OIDC_DISCOVERY_KEPT_MS, OIDC_TIMEOUT_S } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";

const SCOPE = "openid email";
const RETRY_AFTER_S = 5;
const SERVER_ERROR_STATUS = 500;

/** What a sign-in that is on its way has to remember until its callback. */
export interface OidcChecks {
  state: string;
  nonce: string;
  verifier: string;
}

export interface OidcIdentity {
  issuer: string;
  subject: string;
  /** The e-mail address that the provider has verified, or null; asks the provider when the ID token does not say. */
  readEmail(): Promise<string | null>;
}

/** Sign-in at an OIDC provider by discovery: authorization code flow with PKCE (RFC 9700). */
export interface OidcProvider {
  readonly settings: OidcSettings;
  /** Where to send the browser. Rejects with `unavailable` when the provider is away. */
  begin(nowMs: number): Promise<{ url: URL; checks: OidcChecks }>;
  /**
   * Who came back, by the URL of the callback as it was called. `unauthenticated` for whatever does not fit: state, nonce,
   * issuer, audience, signature, an expired or used code; `unavailable` when the provider is away.
   */
  finish(callback: URL, checks: OidcChecks, nowMs: number): Promise<OidcIdentity>;
}

/** `clientSecret`: empty for a public client. What the provider says of itself is kept a while, its keys by the library. */
export function createOidcProvider(settings: OidcSettings, clientSecret: string): OidcProvider {
  let known: { configuration: Configuration; untilMs: number } | null = null;
  // The result is kept and never its promise: a request must not wait for what another, perhaps cancelled, began.
  async function configure(nowMs: number): Promise<Configuration> {
    if (known !== null && nowMs < known.untilMs) return known.configuration;
    const configuration = await mapErrors(discover(settings, clientSecret));
    known = { configuration, untilMs: nowMs + OIDC_DISCOVERY_KEPT_MS };
    return configuration;
  }
  return {
    settings,
    async begin(nowMs) {
      const configuration = await configure(nowMs);
      const checks = { state: randomState(), nonce: randomNonce(), verifier: randomPKCECodeVerifier() };
      const url = buildAuthorizationUrl(configuration, {
        redirect_uri: settings.callback_url,
        scope: SCOPE,
        state: checks.state,
        nonce: checks.nonce,
        code_challenge: await calculatePKCECodeChallenge(checks.verifier),
        code_challenge_method: "S256",
      });
      return { url, checks };
    },
    async finish(callback, checks, nowMs) {
      const configuration = await configure(nowMs);
      // The address that is registered, whatever name this request came under.
      const url = new URL(settings.callback_url);
      url.search = callback.search;
      const tokens = await mapErrors(
        authorizationCodeGrant(configuration, url, {
          expectedState: checks.state,
          expectedNonce: checks.nonce,
          pkceCodeVerifier: checks.verifier,
          idTokenExpected: true,
        }),
      );
      const claims = tokens.claims();
      if (claims === undefined) throw refused("The provider sent no ID token.");
      return {
        issuer: claims.iss,
        subject: claims.sub,
        async readEmail() {
          if (claims["email"] !== undefined) return verifiedEmail(claims);
          if (configuration.serverMetadata().userinfo_endpoint === undefined) return null;
          const info = await mapErrors(fetchUserInfo(configuration, tokens.access_token, claims.sub));
          return verifiedEmail(info);
        },
      };
    },
  };
}

function discover(settings: OidcSettings, clientSecret: string): Promise<Configuration> {
  const authentication = clientSecret === "" ? None() : ClientSecretBasic(clientSecret);
  return discovery(new URL(settings.issuer), settings.client_id, undefined, authentication, {
    timeout: OIDC_TIMEOUT_S,
    // Without this the signature of an ID token that came over TLS is not looked at.
    execute: [enableNonRepudiationChecks, ...(settings.allow_http ? [allowInsecureRequests] : [])],
    [customFetch]: fetchProvider,
  });
}

/** What went wrong on the way to the provider, or inside it: nothing that the user did. */
class ProviderAway extends Error {}

async function fetchProvider(url: string, options: CustomFetchOptions): Promise<Response> {
  const { method, headers, body = null, redirect, signal = null } = options;
  let response: Response;
  try {
    response = await fetch(url, { method, headers, body, redirect, signal });
  } catch (error) {
    throw new ProviderAway("the provider does not answer", { cause: error });
  }
  if (response.status < SERVER_ERROR_STATUS) return response;
  await response.body?.cancel();
  throw new ProviderAway(`the provider answered ${response.status}`);
}

function verifiedEmail(claims: Readonly<Record<string, unknown>>): string | null {
  const { email } = claims as { email?: unknown };
  return claims["email_verified"] === true && typeof email === "string" && email !== "" ? email : null;
}

async function mapErrors<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isAway(error)) {
      throw new ConfluxError("unavailable", "The identity provider is unavailable.", {
        cause: error,
        retryAfterS: RETRY_AFTER_S,
      });
    }
    const isRefusal =
      error instanceof ClientError ||
      error instanceof AuthorizationResponseError ||
      error instanceof ResponseBodyError;
    if (!isRefusal) throw error;
    throw refused("The sign-in at the identity provider does not hold; begin anew.", error);
  }
}

function isAway(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof ProviderAway) return true;
  return false;
}

function refused(detail: string, cause?: unknown): ConfluxError {
  return new ConfluxError("unauthenticated", detail, { cause });
}
