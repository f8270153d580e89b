/**
 * The Raft cluster: one Fargate service a node. Invariants: no two tasks of a node run at once (0 % / 100 %, and the
 * node locks its directory), a node's task runs only in the zone of its disk, and no two nodes are replaced at the same
 * time, or the cluster would lose its quorum; so each service waits for the one before it.
 */
import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from "aws-cdk-lib";
import * as acm from "aws-cdk-lib/aws-certificatemanager";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import { DockerImageAsset, Platform } from "aws-cdk-lib/aws-ecr-assets";
import * as ecs from "aws-cdk-lib/aws-ecs";
import * as elb from "aws-cdk-lib/aws-elasticloadbalancingv2";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { Asset } from "aws-cdk-lib/aws-s3-assets";
import { DnsRecordType, PrivateDnsNamespace } from "aws-cdk-lib/aws-servicediscovery";
import type { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import {
  CORE_DATA_DIRECTORY,
  coreEnvironment,
  IDENTITY_DIRECTORY,
  IDENTITY_FIELDS,
  publicCoreUrls,
} from "./core-environment.ts";
import type { DataStack, NodeDisk } from "./data-stack.ts";
import {
  CORE_PEER_PORT,
  CORE_PORT,
  CORE_UID,
  type DeploymentSettings,
  DISCOVERY_DOMAIN,
  PROJECT_DIRECTORY,
} from "./deployment-settings.ts";
import { fixedGroup } from "./fixed-group.ts";
import type { NetworkStack } from "./network-stack.ts";

const NODE_CPU_UNITS = 512;
const NODE_MEMORY_MIB = 1024;
/** Longer than a node takes to hand over its leadership and close its files. */
const STOP_TIMEOUT_S = 60;
/** Longer than the feed's longest poll. */
const BALANCER_IDLE_S = 120;
const DISCOVERY_TTL_S = 10;
const HEALTH_COMMAND = `fetch("http://127.0.0.1:${CORE_PORT}/healthz").then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`;
const WRITE_IDENTITY = `for (const name of ${JSON.stringify(IDENTITY_FIELDS)}) require("node:fs").writeFileSync("${IDENTITY_DIRECTORY}/" + name + ".pem", process.env[name], { mode: 0o600 })`;

export interface CoreStackProps extends StackProps {
  settings: DeploymentSettings;
  network: NetworkStack;
  data: DataStack;
}

/** On a KMS key of an application (`applications.kms_key_id`) whose owner lets Conflux encrypt under it. */
const APPLICATION_KEY_TAG = "conflux:application";
/** The name under which the data stack hands its backup bucket on. */
const BACKUPS_ARN_EXPORT = "ExportsOutputFnGetAttBackups9A29A52DArn5C3D0D1D";

export class CoreStack extends Stack {
  readonly services: readonly ecs.FargateService[];
  readonly balancer: elb.ApplicationLoadBalancer;
  readonly targets: readonly elb.ApplicationTargetGroup[];
  readonly logGroup: LogGroup;
  readonly #props: CoreStackProps;

  constructor(scope: Construct, id: string, props: CoreStackProps) {
    super(scope, id, props);
    this.#props = props;
    this.logGroup = this.#makeLogGroup("CoreLog");
    const cluster = new ecs.Cluster(this, "Cluster", {
      vpc: props.network.vpc,
      containerInsightsV2: ecs.ContainerInsights.ENABLED,
    });
    const names = new PrivateDnsNamespace(this, "Discovery", {
      name: DISCOVERY_DOMAIN,
      vpc: props.network.vpc,
    });
    const image = this.#makeImage();
    this.services = props.data.disks.map((disk, i) =>
      this.#makeNode({ nodeId: i + 1, disk, cluster, names, image }),
    );
    for (const [i, service] of this.services.entries()) {
      const before = this.services[i - 1];
      if (before !== undefined) service.node.addDependency(before);
    }
    this.balancer = this.#makeBalancer();
    this.targets = this.#makeListener();
    this.#makeConnector(cluster);
  }

  #makeLogGroup(id: string): LogGroup {
    return new LogGroup(this, id, {
      retention: RetentionDays.THREE_MONTHS,
      encryptionKey: this.#props.network.logsKey,
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }

  #makeImage(): ecs.ContainerImage {
    const asset = new DockerImageAsset(this, "CoreImage", {
      directory: PROJECT_DIRECTORY,
      file: "Dockerfile",
      platform: Platform.LINUX_ARM64,
    });
    return ecs.ContainerImage.fromDockerImageAsset(asset);
  }

  #makeNode(input: {
    nodeId: number;
    disk: NodeDisk;
    cluster: ecs.Cluster;
    names: PrivateDnsNamespace;
    image: ecs.ContainerImage;
  }): ecs.FargateService {
    const { nodeId, disk, cluster, names, image } = input;
    const { settings, network } = this.#props;
    const task = this.#makeTask(nodeId, disk, image);
    const service = new ecs.FargateService(this, `Node${nodeId}`, {
      cluster,
      taskDefinition: task,
      desiredCount: 1,
      minHealthyPercent: 0,
      maxHealthyPercent: 100,
      availabilityZoneRebalancing: ecs.AvailabilityZoneRebalancing.DISABLED,
      circuitBreaker: { rollback: true },
      assignPublicIp: false,
      enableExecuteCommand: false,
      platformVersion: ecs.FargatePlatformVersion.VERSION1_4,
      securityGroups: [fixedGroup(this, `Group${nodeId}`, network.groups.core)],
      vpcSubnets: {
        subnetType: ec2.SubnetType.PRIVATE_ISOLATED,
        availabilityZones: [settings.availabilityZones[nodeId - 1] ?? ""],
      },
      cloudMapOptions: {
        name: `core-${nodeId}`,
        cloudMapNamespace: names,
        dnsRecordType: DnsRecordType.A,
        dnsTtl: Duration.seconds(DISCOVERY_TTL_S),
      },
    });
    return service;
  }

  #makeTask(nodeId: number, disk: NodeDisk, image: ecs.ContainerImage): ecs.FargateTaskDefinition {
    const { settings, data } = this.#props;
    const task = new ecs.FargateTaskDefinition(this, `Task${nodeId}`, {
      cpu: NODE_CPU_UNITS,
      memoryLimitMiB: NODE_MEMORY_MIB,
      runtimePlatform: {
        cpuArchitecture: ecs.CpuArchitecture.ARM64,
        operatingSystemFamily: ecs.OperatingSystemFamily.LINUX,
      },
      volumes: [
        {
          name: "data",
          efsVolumeConfiguration: {
            fileSystemId: disk.fileSystem.fileSystemId,
            transitEncryption: "ENABLED",
            authorizationConfig: { accessPointId: disk.accessPoint.accessPointId, iam: "ENABLED" },
          },
        },
        { name: "identity" },
      ],
    });
    task.addToTaskRolePolicy(
      new PolicyStatement({
        actions: ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
        resources: [disk.fileSystem.fileSystemArn],
        conditions: {
          StringEquals: { "elasticfilesystem:AccessPointArn": disk.accessPoint.accessPointArn },
        },
      }),
    );
    this.#letBackUp(task);
    this.#letEncrypt(task);
    const common = { image, user: `${CORE_UID}:${CORE_UID}`, readonlyRootFilesystem: true };
    const identity = this.#addIdentity(task, nodeId, common);
    const container = task.addContainer("core", {
      ...common,
      environment: coreEnvironment(nodeId, settings, {
        backupBucket: data.backups.bucketName,
        configKeyArn: data.configKey.keyArn,
      }),
      secrets: { CONFLUX_CORE_SERVICE_KEY: ecs.Secret.fromSecretsManager(data.secrets.coreService) },
      portMappings: [{ containerPort: CORE_PORT }, { containerPort: CORE_PEER_PORT }],
      stopTimeout: Duration.seconds(STOP_TIMEOUT_S),
      // Alive, not ready: a node without a leader must not be killed for it.
      healthCheck: {
        command: ["CMD", "node", "-e", HEALTH_COMMAND],
        interval: Duration.seconds(10),
        retries: 3,
        startPeriod: Duration.seconds(60),
      },
      logging: ecs.LogDrivers.awsLogs({ logGroup: this.logGroup, streamPrefix: `node-${nodeId}` }),
    });
    container.addMountPoints(
      { sourceVolume: "data", containerPath: CORE_DATA_DIRECTORY, readOnly: false },
      { sourceVolume: "identity", containerPath: IDENTITY_DIRECTORY, readOnly: true },
    );
    container.addContainerDependencies({
      container: identity,
      condition: ecs.ContainerDependencyCondition.SUCCESS,
    });
    acknowledge(task, "The variables are settings; the one secret comes from Secrets Manager.", "ECS2");
    if (task.executionRole !== undefined) {
      acknowledge(
        task.executionRole,
        "ecr:GetAuthorizationToken has no resource to name; AWS defines it for * alone.",
        "IAM5[Resource::*]",
      );
    }
    return task;
  }

  /** A node writes backups and removed versions into their bucket and reads them there. */
  #letBackUp(task: ecs.FargateTaskDefinition): void {
    const { backups, dataKey } = this.#props.data;
    task.addToTaskRolePolicy(
      new PolicyStatement({ actions: ["s3:ListBucket"], resources: [backups.bucketArn] }),
    );
    task.addToTaskRolePolicy(
      new PolicyStatement({
        actions: ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
        resources: [backups.arnForObjects("*")],
      }),
    );
    task.addToTaskRolePolicy(
      new PolicyStatement({ actions: ["kms:Decrypt", "kms:GenerateDataKey"], resources: [dataKey.keyArn] }),
    );
    acknowledge(
      task.taskRole,
      "`<bucket>/*` are the objects of the bucket that backups and archived versions alone are in.",
      `IAM5[Resource::${this.#props.data.stackName}:${BACKUPS_ARN_EXPORT}/*]`,
    );
  }

  /**
   * A node encrypts, and wraps anew, under the default key and under the keys of applications in this account, which bear
   * the tag. It may open nothing: there is no kms:Decrypt here (K4).
   */
  #letEncrypt(task: ecs.FargateTaskDefinition): void {
    const actions = ["kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"];
    const applicationKeys = `arn:${this.partition}:kms:${this.region}:${this.account}:key/*`;
    task.addToTaskRolePolicy(
      new PolicyStatement({ actions, resources: [this.#props.data.configKey.keyArn] }),
    );
    task.addToTaskRolePolicy(
      new PolicyStatement({
        actions,
        resources: [applicationKeys],
        conditions: { StringEquals: { [`aws:ResourceTag/${APPLICATION_KEY_TAG}`]: "true" } },
      }),
    );
    acknowledge(
      task.taskRole,
      "Keys of applications are made by their owners; the condition leaves those that bear the tag.",
      `IAM5[Resource::arn:aws:kms:${this.region}:<AWS::AccountId>:key/*]`,
    );
  }

  /** A container that runs first and ends: it puts the node's certificate where the node reads it as files. */
  #addIdentity(
    task: ecs.FargateTaskDefinition,
    nodeId: number,
    common: Pick<ecs.ContainerDefinitionOptions, "image" | "user" | "readonlyRootFilesystem">,
  ): ecs.ContainerDefinition {
    const secret = this.#props.data.identities[nodeId - 1];
    if (secret === undefined) throw new RangeError(`node ${nodeId} has no identity`);
    const secrets = Object.fromEntries(
      IDENTITY_FIELDS.map((field) => [field, ecs.Secret.fromSecretsManager(secret, field)]),
    );
    const container = task.addContainer("identity", {
      ...common,
      essential: false,
      command: ["node", "-e", WRITE_IDENTITY],
      secrets,
      logging: ecs.LogDrivers.awsLogs({ logGroup: this.logGroup, streamPrefix: `identity-${nodeId}` }),
    });
    container.addMountPoints({
      sourceVolume: "identity",
      containerPath: IDENTITY_DIRECTORY,
      readOnly: false,
    });
    return container;
  }

  #makeBalancer(): elb.ApplicationLoadBalancer {
    const { settings, network, data } = this.#props;
    const balancer = new elb.ApplicationLoadBalancer(this, "Balancer", {
      vpc: network.vpc,
      internetFacing: true,
      vpcSubnets: { subnetType: ec2.SubnetType.PUBLIC },
      securityGroup: fixedGroup(this, "BalancerGroup", network.groups.balancer),
      deletionProtection: true,
      dropInvalidHeaderFields: true,
      idleTimeout: Duration.seconds(BALANCER_IDLE_S),
    });
    balancer.logAccessLogs(data.accessLogs, "balancer");
    new CfnOutput(this, "BalancerName", { value: balancer.loadBalancerDnsName });
    new CfnOutput(this, "CoreUrls", { value: JSON.stringify(publicCoreUrls(settings)) });
    return balancer;
  }

  /** A host name a node, so that a client can turn to the leader; TLS 1.3 with a client certificate, or nothing. */
  #makeListener(): elb.ApplicationTargetGroup[] {
    const { settings, network } = this.#props;
    const authority = new Asset(this, "ClientAuthority", {
      path: new URL(settings.clientCaFile, `file://${PROJECT_DIRECTORY}`).pathname,
    });
    const listener = this.balancer.addListener("Https", {
      port: 443,
      protocol: elb.ApplicationProtocol.HTTPS,
      open: false,
      sslPolicy: elb.SslPolicy.TLS13_13,
      certificates: [acm.Certificate.fromCertificateArn(this, "Certificate", settings.coreCertificateArn)],
      mutualAuthentication: {
        mutualAuthenticationMode: elb.MutualAuthenticationMode.VERIFY,
        ignoreClientCertificateExpiry: false,
        trustStore: new elb.TrustStore(this, "Clients", {
          bucket: authority.bucket,
          key: authority.s3ObjectKey,
        }),
      },
      defaultAction: elb.ListenerAction.fixedResponse(404),
    });
    return this.services.map((service, i) => {
      const nodeId = i + 1;
      const target = new elb.ApplicationTargetGroup(this, `Target${nodeId}`, {
        vpc: network.vpc,
        port: CORE_PORT,
        protocol: elb.ApplicationProtocol.HTTP,
        targetType: elb.TargetType.IP,
        deregistrationDelay: Duration.seconds(10),
        healthCheck: { path: "/healthz", interval: Duration.seconds(10), healthyThresholdCount: 2 },
      });
      service.attachToApplicationTargetGroup(target);
      listener.addTargetGroups(`Node${nodeId}`, {
        priority: nodeId,
        conditions: [elb.ListenerCondition.hostHeaders([`node-${nodeId}.${settings.coreDomain}`])],
        targetGroups: [target],
      });
      return target;
    });
  }

  /** Cloudflare's tunnel client: Hyperdrive's way to Postgres. It dials out and admits nothing. */
  #makeConnector(cluster: ecs.Cluster): void {
    const { settings, network, data } = this.#props;
    const task = new ecs.FargateTaskDefinition(this, "ConnectorTask", {
      cpu: 256,
      memoryLimitMiB: 512,
      runtimePlatform: {
        cpuArchitecture: ecs.CpuArchitecture.ARM64,
        operatingSystemFamily: ecs.OperatingSystemFamily.LINUX,
      },
    });
    task.addContainer("cloudflared", {
      image: ecs.ContainerImage.fromRegistry(settings.tunnelImage),
      command: ["tunnel", "--no-autoupdate", "run"],
      user: "65532:65532",
      readonlyRootFilesystem: true,
      secrets: { TUNNEL_TOKEN: ecs.Secret.fromSecretsManager(data.secrets.tunnelToken) },
      logging: ecs.LogDrivers.awsLogs({
        logGroup: this.#makeLogGroup("ConnectorLog"),
        streamPrefix: "tunnel",
      }),
    });
    new ecs.FargateService(this, "Connector", {
      cluster,
      taskDefinition: task,
      desiredCount: 2,
      minHealthyPercent: 50,
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
      assignPublicIp: true,
      enableExecuteCommand: false,
      securityGroups: [fixedGroup(this, "ConnectorGroup", network.groups.connector)],
      vpcSubnets: { subnetType: ec2.SubnetType.PUBLIC },
    });
  }
}
