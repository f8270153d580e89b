import { createServer, type Server } from "node:http";
import { Provider } from "oidc-provider";

export const CLIENT_ID = "conflux";
export const CLIENT_SECRET = "a secret of the client at the provider";

export interface Account {
  sub: string;
  email: string;
  email_verified: boolean;
}

/** A certified OpenID provider on loopback, whose users sign in by themselves: as whoever `account` is. */
export interface TestProvider {
  readonly issuer: string;
  account: Account;
  /** Makes the provider forget a code, as it does when the code expires. */
  expire(code: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startOidcProvider(callbackUrl: string): Promise<TestProvider> {
  const server = createServer();
  const issuer = await listen(server);
  const account: Account = { sub: "sub-1", email: "reader@example.com", email_verified: true };
  const provider = makeProvider(issuer, callbackUrl, (): Account => running.account);
  const answer = provider.callback();
  server.on("request", (request, response) => {
    if (!(request.url ?? "").startsWith("/interaction/")) return answer(request, response);
    void provider.interactionFinished(request, response, { login: { accountId: running.account.sub } });
  });
  const running: TestProvider = {
    issuer,
    account,
    expire: async (code) => (await provider.AuthorizationCode.find(code))?.destroy(),
    stop: () => close(server),
  };
  return running;
}

function makeProvider(issuer: string, callbackUrl: string, account: () => Account): Provider {
  const provider: Provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        redirect_uris: [callbackUrl],
        response_types: ["code"],
        grant_types: ["authorization_code"],
      },
    ],
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    findAccount: (_ctx: unknown, sub: string) => ({
      accountId: sub,
      claims: () => ({ ...account(), sub }),
    }),
    loadExistingGrant: async (ctx: { oidc: { session: { accountId: string } } }) => {
      const grant = new provider.Grant({ clientId: CLIENT_ID, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope("openid email");
      await grant.save();
      return grant;
    },
    interactions: { url: (_ctx: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    features: { devInteractions: { enabled: false } },
    pkce: { required: () => true },
    cookies: { keys: ["a key of the tests"] },
  });
  return provider;
}

/** What a browser does at the provider: follows redirects, with cookies, until the callback; answers that address. */
export async function visitProvider(address: string, callbackUrl: string): Promise<URL> {
  const jar = new Map<string, string>();
  let at = address;
  for (let hops = 0; hops < 10; hops += 1) {
    if (at.startsWith(callbackUrl)) return new URL(at);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(at, { redirect: "manual", headers: cookie === "" ? {} : { cookie } });
    for (const set of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      if (value === "") jar.delete(name);
      else jar.set(name, value);
    }
    const location = response.headers.get("location");
    if (location === null) throw new Error(`${at}: ${response.status} ${await response.text()}`);
    await response.body?.cancel();
    at = new URL(location, at).href;
  }
  throw new Error("the provider goes round in circles");
}

export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}`;
}

export function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
