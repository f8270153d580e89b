import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  DirectoryLockedError,
  type DirectoryLock,
  lockDirectory,
} from "../consensus/storage/directory-lock.ts";
import { KmsKeyService } from "../adapters/kms/kms-key-service.ts";
import { awsEndpoint } from "./aws-endpoint.ts";
import { ChildLedger, readLedger, reapLeftovers } from "./child-ledger.ts";
import { CrashLines } from "./crash-lines.ts";
import { startAllBut } from "./start-all-but.ts";
import { type WantedPort, checkPorts, freePort, isPortFree } from "./check-ports.ts";
import {
  type StackContext,
  type WorkerdSlot,
  coreSpec,
  lambdaSpec,
  postgresSpec,
  workersSpec,
} from "./child-specs.ts";
import { checkCorePort, coreNodeIds, decideNodes, peerPort, prepareCoreCluster } from "./core-cluster.ts";
import { CLUSTER_ID } from "./names.ts";
import { type DataPaths, dataPaths, prepareDataDirectory } from "./data-directory.ts";
import { type StackTokens, type StackPids, stackTable, writeStackFile } from "./dev-json.ts";
import { findOrphanPostmaster, placeCluster, postgresUser, preparePostgres } from "./embedded-postgres.ts";
import { type ChildEvents, type ChildSpec, ManagedChild } from "./managed-child.ts";
import { dynamoDbSpec, kmsSpec } from "./local-aws.ts";
import { type Memo, readMemo, remember } from "./memo.ts";

import { type DatabaseUrls, databaseUrls } from "./database-urls.ts";
import { type Preparation, startPreparation } from "./run-preparation.ts";
import { type ProcessIdentity, identify } from "./process-identity.ts";
import { prepareTenant } from "./prepare-tenant.ts";
import { StartRefusal } from "./refusal.ts";
import { type SigningJwk, loadSecrets } from "./secrets.ts";
import type { GivenSettings, Settings } from "./settings.ts";
import { loadSigningKey } from "./signing-key.ts";

/** How long a stop waits for the preparation of the database to end by itself. */
const PREPARE_STOP_MS = 3_000;

const MIGRATIONS_DIR = join(import.meta.dirname, "../migrations");

export interface Stack {
  /** Resolves when everything answers and dev.json is written; rejects when a part could not be started. */
  ready(): Promise<void>;
  /** Stops every part in order; afterwards nothing of it runs and the data directory is free. */
  stop(): Promise<void>;
}

/**
 * Starts the local stack. Before anything runs it refuses (`StartRefusal`) what would fail later: a data directory that
 * is in use or unusable, a taken port; and stops what a killed run left behind.
 * Invariant: the holder of the data directory's lock is the only one who starts or reaps processes of that directory.
 */
export async function startStack(input: {
  settings: GivenSettings;
  say: (line: string) => void;
}): Promise<Stack> {
  const { settings: given, say } = input;
  const paths = dataPaths(given.dataDir, given.buildDir);
  prepareDataDirectory(paths);
  const lock = takeLock(given.dataDir);
  try {
    const settings = decideNodes(given, paths);
    checkCorePort(settings, paths);
    await reapEarlierRun(paths, say);
    await checkPorts(wantedPorts(settings));
    return new RunningStack({ settings, say, paths, lock });
  } catch (error) {
    lock.release();
    throw error;
  }
}

function takeLock(dataDir: string): DirectoryLock {
  try {
    return lockDirectory(dataDir);
  } catch (error) {
    if (!(error instanceof DirectoryLockedError)) throw error;
    const holder = error.pid === null ? "Another process" : `Process ${error.pid}`;
    throw new StartRefusal(
      `${holder} already runs Conflux on ${dataDir}; stop it, or set CONFLUX_DATA_DIR to another folder.`,
    );
  }
}

function wantedPorts(settings: Settings): WantedPort[] {
  return [
    { port: settings.edgePort, variable: "CONFLUX_EDGE_PORT" },
    { port: settings.adminPort, variable: "CONFLUX_ADMIN_PORT" },
    { port: settings.lambdaPort, variable: "CONFLUX_LAMBDA_PORT" },
    ...coreNodeIds(settings).flatMap((id) => [
      { port: settings.corePort + id, variable: "CONFLUX_CORE_PORT" },
      ...(settings.nodes === 1 ? [] : [{ port: peerPort(settings, id), variable: "CONFLUX_CORE_PORT" }]),
    ]),
  ];
}

async function reapEarlierRun(paths: DataPaths, say: (line: string) => void): Promise<void> {
  const isPostgres = (p: ProcessIdentity): boolean => /postgres\S* -D /.test(p.command);
  const clusterDir = readMemo(paths.memo).postgres_dir;
  const postmaster = clusterDir === undefined ? null : findOrphanPostmaster(clusterDir);
  const left = readLedger(paths.ledger).filter((p) => p.pid !== postmaster?.pid);
  const reaped = await reapLeftovers([...left, ...(postmaster ? [postmaster] : [])], (p) =>
    isPostgres(p) ? "SIGINT" : "SIGTERM",
  );
  if (reaped.length > 0) say(`Stopped ${reaped.length} processes that an earlier run had left.`);
}

class RunningStack implements Stack {
  private readonly settings: Settings;
  private readonly paths: DataPaths;
  private readonly say: (line: string) => void;
  private readonly lock: DirectoryLock;
  private readonly ledger: ChildLedger;
  private readonly startedAtMs = performance.now();
  private readonly finished: Promise<void>;
  /** In the order of starting; they stop in the reverse one. */
  private readonly children: ManagedChild[] = [];
  private workerd: ProcessIdentity | null = null;
  private tokens: StackTokens | null = null;
  private databaseIsUp = false;
  private preparation: Preparation | null = null;
  /** Settles when nobody of this process talks to Postgres any more. */
  private databasePrepared: Promise<void> = Promise.resolve();
  private stopping: Promise<void> | null = null;

  constructor(input: {
    settings: Settings;
    paths: DataPaths;
    say: (line: string) => void;
    lock: DirectoryLock;
  }) {
    this.settings = input.settings;
    this.paths = input.paths;
    this.say = input.say;
    this.lock = input.lock;
    this.ledger = new ChildLedger(input.paths.ledger);
    this.finished = this.run();
    // Whoever started us hears of a failure from `ready()`, which may be called later.
    this.finished.catch(() => undefined);
  }

  ready(): Promise<void> {
    return this.finished;
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  private async run(): Promise<void> {
    const { settings, paths } = this;
    const secrets = loadSecrets(paths.secrets);
    const port = await this.choosePort("postgres_port", settings.databaseUrl);
    const dynamoDbPort = await this.choosePort("dynamodb_port", settings.dynamoDbUrl);
    const kmsPort = await this.choosePort("kms_port", settings.kmsUrl);
    const urls = databaseUrls({ ownUrl: settings.databaseUrl, port, password: secrets.postgres_password });
    const peers = await prepareCoreCluster(settings, paths, CLUSTER_ID);
    const dynamoDb = awsEndpoint({ ownUrl: settings.dynamoDbUrl, port: dynamoDbPort, env: process.env });
    const kms = awsEndpoint({
      ownUrl: settings.kmsUrl,
      port: kmsPort,
      accessKeyId: secrets.kms_access_key_id,
      env: process.env,
    });
    const context: StackContext = {
      settings,
      paths,
      secrets,
      databaseUrl: urls.app,
      peers,
      dynamoDb,
      kms,
    };
    const signingJwk = this.openSigningKey(context, kmsPort);
    const database = this.startDatabase(urls, port, secrets.postgres_password);
    this.databasePrepared = database.then(
      () => undefined,
      () => undefined,
    );
    const cores = coreNodeIds(settings).map((id) => this.add(coreSpec(context, id)));
    const lambda = this.add(lambdaSpec(context, () => this.databaseIsUp));
    const workers = this.add(workersSpec(context, this.workerdSlot(), signingJwk));
    // The first failure is what is reported; the caller then stops the others.
    const [access, key] = await Promise.all([
      database,
      signingJwk,
      this.launchCores(cores),
      this.launch(lambda),
      this.launch(workers),
      ...(dynamoDbPort === null ? [] : [this.launch(this.add(dynamoDbSpec(context, dynamoDbPort)))]),
    ]);
    lambda.send({ follow: true });
    workers.send({ cron: true });
    this.tokens = await prepareTenant({ context, signingJwk: key, adminUserId: access.adminUserId });
    this.writeStackFile();
    this.announce(access.unprintedPassword);
  }

  /** Starts the local KMS, unless the user has one, and opens the token signing key with it. */
  private async openSigningKey(context: StackContext, kmsPort: number | null): Promise<SigningJwk> {
    const { paths, secrets, kms } = context;
    if (kmsPort !== null) await this.launch(this.add(kmsSpec(context, kmsPort)));
    return loadSigningKey({ paths, secrets, keys: new KmsKeyService(kms) });
  }

  /** Starts the embedded Postgres, unless the user has one, and brings the database up to date. */
  private async startDatabase(urls: DatabaseUrls, port: number | null, password: string) {
    const preparation = startPreparation(this.paths, this.ledger);
    this.preparation = preparation;
    if (port !== null) {
      const files = await preparePostgres({ clusterDir: this.chooseClusterDir(), password });
      await this.launch(this.add(postgresSpec(files, port), "first"));
    }
    const { memo } = this.paths;
    const access = await preparation.run({ urls, password, memoPath: memo, migrationsDir: MIGRATIONS_DIR });
    this.databaseIsUp = true;
    return access;
  }

  private chooseClusterDir(): string {
    const remembered = readMemo(this.paths.memo).postgres_dir;
    const clusterDir = remembered ?? placeCluster(this.paths.dataDir, postgresUser());
    if (remembered === undefined) remember(this.paths.memo, { postgres_dir: clusterDir });
    return clusterDir;
  }

  /** The port of a stand-in: the one of the last start while it is free. Null when the user has the real thing. */
  private async choosePort(
    name: keyof Memo & `${string}_port`,
    ownUrl: string | null,
  ): Promise<number | null> {
    if (ownUrl !== null) return null;
    const { [name]: remembered, ...others } = readMemo(this.paths.memo);
    if (remembered !== undefined && (await isPortFree(remembered))) return remembered;
    let port = await freePort();
    while (Object.values<unknown>(others).includes(port)) port = await freePort();
    remember(this.paths.memo, { [name]: port });
    return port;
  }

  private add(spec: ChildSpec, place?: "first"): ManagedChild {
    const logPath = join(this.paths.logs, `${spec.name}.log`);
    const lines = new CrashLines(spec.name, logPath);
    const events: ChildEvents = {
      onReady: (_child, restarts) => {
        lines.forget();
        if (restarts > 0) this.say(`${spec.name} runs again.`);
        this.writeStackFile();
      },
      onCrash: (_child, how, delayMs) => {
        const line = lines.next(how, delayMs);
        if (line !== null) this.say(line);
      },
    };
    const child = new ManagedChild(spec, { ledger: this.ledger, logPath, events });
    if (place === "first") this.children.unshift(child);
    else this.children.push(child);
    return child;
  }

  private async launch(child: ManagedChild, options: { keepTrying?: boolean } = {}): Promise<void> {
    if (this.stopping) throw new Error("the stack is being stopped");
    await child.start(options);
  }

  /** A cluster that has run before runs without a minority; at the first start nodes wait for each other, so all are needed. */
  private async launchCores(cores: readonly ManagedChild[]): Promise<void> {
    const hasRun = readMemo(this.paths.memo).sample_data === true;
    const downMax = hasRun ? Math.floor((cores.length - 1) / 2) : 0;
    await startAllBut(
      downMax,
      cores.map((core) => this.launch(core, { keepTrying: downMax > 0 })),
    );
  }

  private workerdSlot(): WorkerdSlot {
    return {
      current: () => this.workerd,
      set: (pid) => {
        if (this.workerd) this.ledger.remove(this.workerd.pid);
        this.workerd = identify(pid);
        this.ledger.add(pid);
        this.writeStackFile();
      },
    };
  }

  /** Writes dev.json once everything is there, and again whenever a process of it has changed. */
  private writeStackFile(): void {
    if (this.tokens === null || this.stopping) return;
    const pidOf = (name: string): number => this.children.find((c) => c.spec.name === name)?.pid ?? 0;
    const pids: StackPids = {
      supervisor: process.pid,
      core: coreNodeIds(this.settings).map((id) => pidOf(`core-${id}`)),
      workerd: this.workerd?.pid ?? 0,
      workers_host: pidOf("workers"),
      lambda: pidOf("lambda"),
      ...(this.settings.databaseUrl === null ? { postgres: pidOf("postgres") } : {}),
      ...(this.settings.dynamoDbUrl === null ? { dynalite: pidOf("dynalite") } : {}),
      ...(this.settings.kmsUrl === null ? { kms: pidOf("kms") } : {}),
    };
    writeStackFile(this.paths.devJson, this.settings, { ...this.tokens, pids });
  }

  /** One write, so that whoever sees the last line has seen the table. */
  private announce(password: string | null): void {
    const seconds = ((performance.now() - this.startedAtMs) / 1000).toFixed(1);
    const lines = [`Started in ${seconds} s.`, ...stackTable(this.settings, this.paths)];
    for (const { lastEnd, spec, logPath } of this.children) {
      if (lastEnd === null || !spec.name.startsWith("core-")) continue;
      lines.push(`  ${spec.name} is down, the other nodes run without it: it ${lastEnd} (${logPath})`);
    }
    if (password !== null) lines.push(`  sign in   admin / ${password} (this password is shown only now)`);
    this.say([...lines, "Conflux is ready"].join("\n"));
    if (password !== null) remember(this.paths.memo, { unprinted_password: undefined });
  }

  /** Workers and Lambdas first, so that nothing loses the core or a store under its feet; those last. */
  private async stopAll(): Promise<void> {
    const isStore = (c: ManagedChild): boolean =>
      ["postgres", "dynalite", "kms"].includes(c.spec.name) || c.spec.name.startsWith("core-");
    await Promise.all(this.children.filter((c) => !isStore(c)).map((c) => c.stop()));
    // A migration under way is not cut off, as long as that lets us stop in time.
    await Promise.race([this.databasePrepared, sleep(PREPARE_STOP_MS, undefined, { ref: false })]);
    this.preparation?.stop();
    await Promise.all(this.children.filter(isStore).map((c) => c.stop()));
    // A start that was still under way has failed by now, or does at its next step: `launch` starts nothing any more.
    await this.finished.catch(() => undefined);
    // It fails with its first part; an initdb may still be at work, and ends by itself.
    await this.databasePrepared;
    if (this.workerd) {
      await reapLeftovers([this.workerd], () => "SIGKILL");
      this.ledger.remove(this.workerd.pid);
    }
    rmSync(this.paths.devJson, { force: true });
    this.lock.release();
  }
}
