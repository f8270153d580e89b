/**
 * What must outlive every other stack: databases, file systems, backups, secrets and the key that encrypts them.
 * Invariant: nothing here is deleted with its stack (retained, and protected where the service can). It would break if
 * a resource without a retain policy were added; a test looks at every stateful resource.
 */
import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from "aws-cdk-lib";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import * as efs from "aws-cdk-lib/aws-efs";
import { Key } from "aws-cdk-lib/aws-kms";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import * as rds from "aws-cdk-lib/aws-rds";
import * as s3 from "aws-cdk-lib/aws-s3";
import { CfnSecret, Secret } from "aws-cdk-lib/aws-secretsmanager";
import type { Construct } from "constructs";
import { DYNAMODB_TABLES } from "../contracts/dynamodb/tables.ts";
import { acknowledge } from "./acknowledge.ts";
import { CORE_UID, DATABASE_NAME, type DeploymentSettings } from "./deployment-settings.ts";
import { fixedGroup } from "./fixed-group.ts";
import type { NetworkStack } from "./network-stack.ts";

/** Aurora capacity units (2 GiB each): what it idles at, and what it may grow to. */
const DATABASE_CAPACITY_MIN = 0.5;
const DATABASE_CAPACITY_MAX = 8;
const DATABASE_IDENTIFIER = "conflux";
const DATABASE_BACKUP_DAYS = 14;
const BACKUP_VERSIONS_DAYS = 35;
const ACCESS_LOGS_DAYS = 90;
/** At least the 32 bytes that the core and the functions insist on. */
const SERVICE_KEY_CHARACTERS = 48;

export interface DataStackProps extends StackProps {
  settings: DeploymentSettings;
  network: NetworkStack;
}

/** A core node's disk: a file system in the node's zone and the access point the node enters by. */
export interface NodeDisk {
  fileSystem: efs.FileSystem;
  accessPoint: efs.AccessPoint;
}

export class DataStack extends Stack {
  readonly dataKey: Key;
  /** Wraps the data keys of encrypted configs whose application has no key of its own. */
  readonly configKey: Key;
  readonly database: rds.DatabaseCluster;
  /** By table name. */
  readonly tables: ReadonlyMap<string, dynamodb.TableV2>;
  readonly disks: readonly NodeDisk[];
  readonly accessLogs: s3.Bucket;
  readonly backups: s3.Bucket;
  readonly secrets: Readonly<Record<"coreService" | "lambdaService" | "appDatabase" | "tunnelToken", Secret>>;

  /** Certificate and key of each node, in node order; their values are put in by hand. */
  readonly identities: readonly Secret[];

  constructor(scope: Construct, id: string, props: DataStackProps) {
    super(scope, id, props);
    this.dataKey = new Key(this, "DataKey", {
      description: "Conflux: databases, disks, backups, secrets, queues",
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    this.configKey = new Key(this, "ConfigKey", {
      description: "Conflux: encrypted configs whose application has no key of its own",
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    this.accessLogs = this.#makeAccessLogs();
    this.backups = this.#makeBackups();
    this.database = this.#makeDatabase(props.network);
    this.tables = this.#makeTables();
    this.disks = props.settings.availabilityZones.map((zone, i) =>
      this.#makeDisk(i + 1, zone, props.network),
    );
    const makeSecret = this.#secretMaker();
    this.secrets = {
      coreService: makeSecret("CoreServiceKey", "Signs service tokens for the core; the Workers hold it too"),
      lambdaService: makeSecret(
        "LambdaServiceKey",
        "Signs service tokens for functions; conflux-admin holds it too",
      ),
      appDatabase: makeSecret(
        "AppDatabasePassword",
        "Password of conflux_app, which row-level security binds",
      ),
      tunnelToken: makeSecret(
        "TunnelToken",
        "Token of the tunnel to Cloudflare; its value is put in by hand",
      ),
    };
    this.identities = this.disks.map((_, i) =>
      makeSecret(
        `NodeIdentity${i + 1}`,
        `JSON of ca, cert and key (PEM) of core node ${i + 1}; put in by hand`,
      ),
    );
    new CfnOutput(this, "DatabaseEndpoint", { value: this.database.clusterEndpoint.hostname });
    new CfnOutput(this, "BackupsBucket", { value: this.backups.bucketName });
  }

  #makeAccessLogs(): s3.Bucket {
    const bucket = new s3.Bucket(this, "AccessLogs", {
      // The load balancer can write only to a bucket with S3's own keys.
      encryption: s3.BucketEncryption.S3_MANAGED,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      versioned: true,
      lifecycleRules: [
        {
          expiration: Duration.days(ACCESS_LOGS_DAYS),
          noncurrentVersionExpiration: Duration.days(1),
        },
      ],
      removalPolicy: RemovalPolicy.RETAIN,
    });
    acknowledge(bucket, "It holds access logs; logging the logging would not end.", "S1");
    return bucket;
  }

  #makeBackups(): s3.Bucket {
    return new s3.Bucket(this, "Backups", {
      encryption: s3.BucketEncryption.KMS,
      encryptionKey: this.dataKey,
      bucketKeyEnabled: true,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      versioned: true,
      lifecycleRules: [
        {
          noncurrentVersionExpiration: Duration.days(BACKUP_VERSIONS_DAYS),
          abortIncompleteMultipartUploadAfter: Duration.days(1),
        },
      ],
      serverAccessLogsBucket: this.accessLogs,
      serverAccessLogsPrefix: "backups/",
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }

  #makeDatabase({ vpc, groups, logsKey }: NetworkStack): rds.DatabaseCluster {
    const engine = rds.DatabaseClusterEngine.auroraPostgres({
      version: rds.AuroraPostgresEngineVersion.VER_17_7,
    });
    const subnets = { subnetType: ec2.SubnetType.PRIVATE_ISOLATED };
    const group = fixedGroup(this, "DatabaseGroup", groups.database);
    const database = new rds.DatabaseCluster(this, "Database", {
      clusterIdentifier: DATABASE_IDENTIFIER,
      engine,
      vpc,
      vpcSubnets: subnets,
      securityGroups: [group],
      writer: rds.ClusterInstance.serverlessV2("Writer"),
      readers: [rds.ClusterInstance.serverlessV2("Standby", { scaleWithWriter: true })],
      serverlessV2MinCapacity: DATABASE_CAPACITY_MIN,
      serverlessV2MaxCapacity: DATABASE_CAPACITY_MAX,
      defaultDatabaseName: DATABASE_NAME,
      credentials: rds.Credentials.fromGeneratedSecret("conflux_owner", { encryptionKey: this.dataKey }),
      storageEncrypted: true,
      storageEncryptionKey: this.dataKey,
      parameters: { "rds.force_ssl": "1", log_min_duration_statement: "1000" },
      backup: { retention: Duration.days(DATABASE_BACKUP_DAYS) },
      cloudwatchLogsExports: ["postgresql"],
      copyTagsToSnapshot: true,
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    for (const made of database.node.findAll()) {
      if (CfnSecret.isCfnSecret(made)) made.applyRemovalPolicy(RemovalPolicy.RETAIN);
    }
    // Aurora writes to a group of this name; made here, it has an end and a key.
    const log = new LogGroup(this, "DatabaseLog", {
      logGroupName: `/aws/rds/cluster/${DATABASE_IDENTIFIER}/postgresql`,
      retention: RetentionDays.ONE_MONTH,
      encryptionKey: logsKey,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    database.node.addDependency(log);
    database.addRotationSingleUser({ vpcSubnets: subnets, securityGroup: group });
    acknowledge(
      database,
      "Hyperdrive and the functions sign in with a password over TLS (rds.force_ssl); neither can make IAM tokens.",
      "RDS6",
    );
    acknowledge(
      database,
      "5432 is open to two security groups alone; another number would hide nothing.",
      "RDS11",
    );
    return database;
  }

  #makeTables(): DataStack["tables"] {
    const tables = new Map<string, dynamodb.TableV2>();
    for (const { tableName, partitionKey, ttlAttribute } of DYNAMODB_TABLES) {
      const table = new dynamodb.TableV2(this, `Table-${tableName}`, {
        tableName,
        partitionKey: { name: partitionKey, type: dynamodb.AttributeType.STRING },
        ...(ttlAttribute === null ? {} : { timeToLiveAttribute: ttlAttribute }),
        billing: dynamodb.Billing.onDemand(),
        encryption: dynamodb.TableEncryptionV2.customerManagedKey(this.dataKey),
        pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
        deletionProtection: true,
        removalPolicy: RemovalPolicy.RETAIN,
      });
      tables.set(tableName, table);
    }
    return tables;
  }

  /**
   * One Zone: the node is pinned to that zone, and Raft holds the copies in the others. AWS's own backups are off,
   * because a node that came back with an older log would deny votes and entries it has acknowledged.
   */
  #makeDisk(nodeId: number, zone: string, { vpc, groups }: NetworkStack): NodeDisk {
    const fileSystem = new efs.FileSystem(this, `Disk${nodeId}`, {
      vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED, availabilityZones: [zone] },
      oneZone: true,
      securityGroup: fixedGroup(this, `DiskGroup${nodeId}`, groups.files),
      encrypted: true,
      kmsKey: this.dataKey,
      throughputMode: efs.ThroughputMode.ELASTIC,
      allowAnonymousAccess: false,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    // Left out, AWS would turn them on for a file system of one zone.
    (fileSystem.node.defaultChild as efs.CfnFileSystem).backupPolicy = { status: "DISABLED" };
    const owner = { uid: CORE_UID, gid: CORE_UID };
    const accessPoint = fileSystem.addAccessPoint(`Node${nodeId}`, {
      path: `/node-${nodeId}`,
      posixUser: owner,
      createAcl: { ownerUid: CORE_UID, ownerGid: CORE_UID, permissions: "0700" },
    });
    return { fileSystem, accessPoint };
  }

  #secretMaker(): (id: string, description: string) => Secret {
    // The key by its ARN, so that a reader's permission goes into the reader's role and not into the key's policy, which
    // would make this stack depend on the reader's.
    const encryptionKey = Key.fromKeyArn(this, "SecretsKey", this.dataKey.keyArn);
    return (id, description) => {
      const secret = new Secret(this, id, {
        description,
        encryptionKey,
        generateSecretString: { passwordLength: SERVICE_KEY_CHARACTERS, excludePunctuation: true },
        removalPolicy: RemovalPolicy.RETAIN,
      });
      acknowledge(
        secret,
        "Its other holder is outside of AWS (Cloudflare, or the operator's authority); docs/deploy.md says how to change it.",
        "SMG4",
      );
      return secret;
    };
  }
}
