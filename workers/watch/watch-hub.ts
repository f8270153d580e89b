import { DurableObject } from "cloudflare:workers";
import {
  readHubShards,
  readReplicaGroups,
  replicaName,
  WATCH_PRINCIPAL_HEADER,
  type WatchHubRpc,
  type WatchPrincipal,
} from "../../contracts/delivery/replica-rpc.ts";
import { WATCH_CONFIGS_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import type { IndexPosition } from "../../domain/delivery/index-token.ts";
import { asConfluxError, closedSocket, refusalResponse } from "./answer-refusal.ts";
import { reconnectJitterMs } from "./fan-out.ts";
import { HubShard } from "./hub-shard.ts";
import { BUSY_RETRY_S, HUB_RENEW_MS, HUB_SOCKETS_MAX, SSE_HEARTBEAT_MS, SSE_RETRY_MS } from "./limits.ts";
import { logEvent } from "./log-event.ts";
import { fitsAttachment, savedState, SocketChannel } from "./socket-channel.ts";
import { isSilent, SILENCE, type Silence } from "./socket-silence.ts";
import { SocketPeak } from "./socket-peak.ts";
import { StreamChannel } from "./stream-channel.ts";
import { objectIdentity, type WatchEnv } from "./watch-env.ts";
import {
  backOffReason,
  CLOSE_BACK_OFF,
  CLOSE_INTERNAL,
  CLOSE_TOKEN_ENDED,
  readClientMessage,
  readPrincipal,
  readWatchedConfigs,
} from "./watch-protocol.ts";
import { type WatchChannel, WatchSession } from "./watch-session.ts";

const POSITION_KEY = "position";
/** Close codes that say "none was sent"; a peer must not send them. */
const UNSENDABLE_CLOSE_CODES = new Set([1005, 1006, 1015]);

/**
 * One shard of a region's watchers: hibernating WebSockets, and event streams while their requests last. What they are
 * told is `HubShard`'s part; this is how they come, sleep, wake and go. A config that the principal may not read is
 * subscribed to like one that does not exist: in silence, for good.
 */
export class WatchHub extends DurableObject<WatchEnv> implements WatchHubRpc {
  readonly #region: string;
  readonly #shard: HubShard;
  readonly #peak: SocketPeak;
  readonly #spread: { shards: number; replicaGroups: number };
  readonly #bySocket = new WeakMap<WebSocket, WatchSession>();
  readonly #streams = new Map<WatchChannel, WatchSession>();
  #heartbeat: ReturnType<typeof setInterval> | null = null;
  /** When the alarm is set for; null when only the storage knows. */
  #alarmAtMs: number | null = null;

  constructor(ctx: DurableObjectState, env: WatchEnv) {
    super(ctx, env);
    const { name, region, part } = objectIdentity(ctx);
    // Hubs of a region spread over its replicas; all tell the same.
    const replicaGroups = readReplicaGroups(env.REPLICA_GROUPS);
    const group = part % replicaGroups;
    this.#spread = { shards: readHubShards(env.HUB_SHARDS), replicaGroups };
    this.#region = region;
    this.#peak = new SocketPeak(ctx.storage.kv);
    this.#shard = new HubShard({
      hub: name,
      signer: createIndexSigner(env.INDEX_SIGNING_KEY),
      replica: () => env.REPLICA.getByName(replicaName(region, group)),
      position: ctx.storage.kv.get<IndexPosition>(POSITION_KEY) ?? null,
      reconnectJitterMs: () => this.#reconnectJitterMs(),
      storePosition: (position) => {
        ctx.storage.kv.put(POSITION_KEY, position);
      },
      forget: (session) => {
        this.#forget(session);
      },
      end: (session, code, reason) => {
        this.#end(session, code, reason);
      },
    });
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    for (const socket of ctx.getWebSockets()) this.#wake(socket);
  }

  /** Watchers that one hub holds. */
  protected get socketsMax(): number {
    return HUB_SOCKETS_MAX;
  }

  protected get silence(): Silence {
    return SILENCE;
  }

  async publish(input: Parameters<WatchHubRpc["publish"]>[0]): Promise<void> {
    await this.#shard.publish(input);
  }

  /** Takes a watcher that the edge has authorised: a WebSocket upgrade, or a request for an event stream. */
  override async fetch(request: Request): Promise<Response> {
    const isUpgrade = request.headers.get("upgrade")?.toLowerCase() === "websocket";
    try {
      const principal = readPrincipal(request.headers.get(WATCH_PRINCIPAL_HEADER));
      const configs = readWatchedConfigs(new URL(request.url).searchParams);
      const longest = { from: Number.MAX_SAFE_INTEGER, caught_up: false, opened_at_ms: Date.now() };
      if (!fitsAttachment({ principal, configs, ...longest })) {
        throw new ConfluxError(
          "payload_too_large",
          "the configs and the token's scopes are too long together",
        );
      }
      if (this.#shard.fanOut.sessions.size >= this.socketsMax) {
        if (isUpgrade) return closedSocket(CLOSE_BACK_OFF, this.#backOff("too many watchers"));
        throw new ConfluxError("unavailable", "too many watchers", { retryAfterS: BUSY_RETRY_S });
      }
      await this.#shard.registered();
      this.#shard.refuseEnded(principal);
      return isUpgrade
        ? await this.#takeSocket(request, principal, configs)
        : await this.#takeStream(request, principal, configs);
    } catch (error) {
      const refusal = asConfluxError(error);
      if (refusal.code === "internal") {
        logEvent({ level: "error", event: "watch_refused", region: this.#region }, error);
      }
      return refusalResponse(refusal, request);
    }
  }

  async #takeSocket(request: Request, principal: WatchPrincipal, configs: string[]): Promise<Response> {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    const session = this.#newSession(principal, configs, new SocketChannel(server));
    this.#bySocket.set(server, session);
    await this.#start(session, new URL(request.url).searchParams.get("since"));
    // A browser gives up unless one of the subprotocols that it offered is chosen.
    const offered = request.headers.get("sec-websocket-protocol")?.split(",")[0]?.trim();
    const headers = new Headers(offered === undefined ? {} : { "sec-websocket-protocol": offered });
    return new Response(null, { status: 101, webSocket: client, headers });
  }

  async #takeStream(request: Request, principal: WatchPrincipal, configs: string[]): Promise<Response> {
    if (configs.length === 0) {
      throw new ConfluxError("validation_failed", "an event stream must name a config");
    }
    const channel = new StreamChannel(() => {
      const session = this.#streams.get(channel);
      if (session !== undefined) this.#forget(session);
    }, this.#retryMs(SSE_RETRY_MS));
    const session = this.#newSession(principal, configs, channel);
    this.#streams.set(channel, session);
    this.#heartbeat ??= setInterval(() => {
      this.#beat();
    }, SSE_HEARTBEAT_MS);
    const query = new URL(request.url).searchParams;
    await this.#start(session, request.headers.get("last-event-id") ?? query.get("since"));
    return channel.response;
  }

  #newSession(principal: WatchPrincipal, configs: string[], channel: WatchChannel): WatchSession {
    const opened = { from: 0, caught_up: false, opened_at_ms: Date.now() };
    const session = new WatchSession({ principal, configs, ...opened }, channel);
    this.#shard.fanOut.sessions.add(session);
    return session;
  }

  async #start(session: WatchSession, since: string | null): Promise<void> {
    try {
      await this.#armAlarm(session.principal.expires_at_ms);
      await this.#shard.start(session, since === "" ? null : since);
    } catch (cause) {
      this.#end(session, CLOSE_BACK_OFF, "the region is not available");
      throw new ConfluxError("unavailable", "the region is not available", {
        retryAfterS: BUSY_RETRY_S,
        cause,
      });
    }
  }

  override async alarm(): Promise<void> {
    this.#alarmAtMs = Infinity;
    this.#shard.endExpired();
    this.#endSilent(Date.now());
    const { sessions } = this.#shard.fanOut;
    this.#peak.note(sessions.size);
    if (sessions.size === 0) return;
    try {
      await this.#shard.register();
    } catch (error) {
      logEvent({ level: "warn", event: "hub_not_registered", region: this.#region }, error);
    }
    const expiries = [...sessions].map((session) => session.principal.expires_at_ms);
    await this.#armAlarm(expiries.reduce((a, b) => Math.min(a, b), Infinity));
  }

  /** Gives up sockets whose client has vanished without a word. */
  #endSilent(nowMs: number): void {
    for (const socket of this.ctx.getWebSockets()) {
      const session = this.#bySocket.get(socket);
      if (session === undefined) continue;
      const pingedAtMs = this.ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? null;
      const { openedAtMs } = session;
      if (socket.readyState !== WebSocket.OPEN) this.#forget(session);
      else if (isSilent({ openedAtMs, pingedAtMs, nowMs }, this.silence)) {
        this.#end(session, CLOSE_BACK_OFF, this.#backOff("no ping for too long"));
      }
    }
  }

  /** Makes sure that the hub is awake at `atMs`, and in any case to renew its registration. */
  async #armAlarm(atMs: number): Promise<void> {
    this.#alarmAtMs ??= (await this.ctx.storage.getAlarm()) ?? Infinity;
    const nextMs = Math.min(Math.max(atMs, Date.now()), Date.now() + HUB_RENEW_MS);
    if (nextMs >= this.#alarmAtMs) return;
    this.#alarmAtMs = nextMs;
    await this.ctx.storage.setAlarm(nextMs);
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    const session = this.#bySocket.get(socket);
    // What a socket that has been ended said before it heard of that is of no interest.
    if (session === undefined || !this.#shard.fanOut.sessions.has(session)) return;
    if (!session.rate.take(typeof data === "string" ? data.length : data.byteLength, Date.now())) {
      this.#end(session, CLOSE_BACK_OFF, this.#backOff("too many messages"));
      return;
    }
    const message = readClientMessage(data);
    if (message.type === "error") {
      session.tell(message, null);
      return;
    }
    for (const refusal of message.refused) session.tell(refusal, null);
    if (message.type === "subscribe") this.#subscribe(session, message.configs);
    else {
      this.#shard.fanOut.sessions.unsubscribe(session, message.configs);
      session.save();
    }
  }

  #subscribe(session: WatchSession, configs: readonly string[]): void {
    const { sessions } = this.#shard.fanOut;
    const added = configs.filter((config) => !session.configs.has(config));
    if (added.length === 0) return;
    if (session.configs.size + added.length <= WATCH_CONFIGS_MAX) {
      sessions.subscribe(session, added);
      if (session.save()) return;
      sessions.unsubscribe(session, added);
    }
    session.tell({ type: "error", code: "quota_exceeded", config: added[0] ?? null }, null);
  }

  /**
   * Completes the handshake of a close that the client began; for one that the hub began this changes nothing, since both
   * frames are out. The runtime then ends the connection at once, unless the client never sent a frame before: then it
   * keeps the connection until the client ends it or the hub hibernates (seconds), and no call of ours shortens that.
   * A client that waits for the end of the connection sends a `ping` when it has opened.
   */
  override async webSocketClose(socket: WebSocket, code: number, reason: string): Promise<void> {
    const session = this.#bySocket.get(socket);
    if (session !== undefined) this.#forget(session);
    if (UNSENDABLE_CLOSE_CODES.has(code)) socket.close();
    else socket.close(code, reason);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    const session = this.#bySocket.get(socket);
    if (session !== undefined) this.#forget(session);
  }

  /** Finds the session of a socket that slept through the hub's last life. */
  #wake(socket: WebSocket): void {
    if (socket.readyState !== WebSocket.OPEN) return;
    const state = savedState(socket);
    if (state === null || !state.caught_up) {
      // The hub died while it was catching this watcher up: it comes back with its `since`.
      if (state === null) socket.close(CLOSE_INTERNAL, "reconnect");
      else socket.close(CLOSE_BACK_OFF, this.#backOff("reconnect"));
      return;
    }
    const session = new WatchSession(state, new SocketChannel(socket));
    this.#bySocket.set(socket, session);
    this.#shard.fanOut.sessions.add(session);
  }

  #reconnectJitterMs(): number {
    return reconnectJitterMs(this.#peak.of(this.#shard.fanOut.sessions.size), this.#spread);
  }

  /** When a client that is sent away may come back: `atLeastMs`, and a part by chance of the window. */
  #retryMs(atLeastMs: number): number {
    return Math.ceil(atLeastMs + Math.random() * this.#reconnectJitterMs());
  }

  #backOff(why: string): string {
    return backOffReason(why, this.#retryMs(BUSY_RETRY_S * 1000));
  }

  #beat(): void {
    for (const [channel, session] of this.#streams) {
      if (channel instanceof StreamChannel && !channel.heartbeat()) this.#forget(session);
    }
  }

  /** A stream has no close code: its client is told why, and finds 401 at the edge when it comes back. */
  #end(session: WatchSession, code: number, reason: string): void {
    if (session.channel instanceof StreamChannel && code === CLOSE_TOKEN_ENDED) {
      session.tell({ type: "error", code: "unauthenticated", config: null }, null);
    }
    this.#forget(session);
    session.channel.close(code, reason);
  }

  #forget(session: WatchSession): void {
    this.#shard.fanOut.sessions.remove(session);
    this.#streams.delete(session.channel);
    // A pending timer keeps the object in memory: no streams, no timer.
    if (this.#streams.size > 0 || this.#heartbeat === null) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = null;
  }
}
