/**
 * The network. Invariant: the core, the functions and the data are in subnets without a route to or from the internet,
 * and only the load balancer admits anything from outside: Cloudflare's addresses, with a client certificate. It would
 * break if a security group other than the balancer's admitted an address range; so every rule between parts of the
 * system stands in this file, and a test looks for others.
 */
import { RemovalPolicy, Stack, type StackProps } from "aws-cdk-lib";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import { Key } from "aws-cdk-lib/aws-kms";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import { CLOUDFLARE_IPV4_RANGES } from "./cloudflare-ranges.ts";
import { CORE_PEER_PORT, CORE_PORT, type DeploymentSettings } from "./deployment-settings.ts";

const VPC_RANGE = "10.40.0.0/16";
const HTTPS_PORT = 443;
const POSTGRES_PORT = 5432;
const NFS_PORT = 2049;
/** What the isolated parts need of AWS, besides S3 and DynamoDB, which have gateways. */
const INTERFACE_ENDPOINTS = {
  Registry: ec2.InterfaceVpcEndpointAwsService.ECR,
  RegistryImages: ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
  Logs: ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
  Secrets: ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
  Keys: ec2.InterfaceVpcEndpointAwsService.KMS,
  // By which publish-stage has gate-webhook, which is outside, post to webhooks.
  Functions: ec2.InterfaceVpcEndpointAwsService.LAMBDA,
  // By which feed-projection sends hints to publish-stage.
  Queues: ec2.InterfaceVpcEndpointAwsService.SQS,
};

export interface NetworkStackProps extends StackProps {
  settings: DeploymentSettings;
}

type Groups = Record<
  "balancer" | "core" | "functions" | "database" | "files" | "connector",
  ec2.SecurityGroup
>;

export class NetworkStack extends Stack {
  readonly vpc: ec2.Vpc;
  readonly groups: Groups;
  /** Encrypts every log group. */
  readonly logsKey: Key;

  constructor(scope: Construct, id: string, props: NetworkStackProps) {
    super(scope, id, props);
    this.logsKey = this.#makeLogsKey();
    this.vpc = new ec2.Vpc(this, "Vpc", {
      ipAddresses: ec2.IpAddresses.cidr(VPC_RANGE),
      availabilityZones: props.settings.availabilityZones,
      natGateways: 0,
      // The custom resource that would empty it needs a function of its own; nothing here uses the default group.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: "edge", subnetType: ec2.SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        { name: "private", subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 22 },
      ],
      flowLogs: {
        Rejected: {
          trafficType: ec2.FlowLogTrafficType.REJECT,
          destination: ec2.FlowLogDestination.toCloudWatchLogs(
            new LogGroup(this, "FlowLog", {
              retention: RetentionDays.ONE_MONTH,
              encryptionKey: this.logsKey,
              removalPolicy: RemovalPolicy.DESTROY,
            }),
          ),
        },
      },
    });
    this.groups = this.#makeGroups();
    this.#admit();
    this.#addEndpoints();
  }

  #makeLogsKey(): Key {
    const key = new Key(this, "LogsKey", {
      description: "Conflux: log groups",
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    key.grantEncryptDecrypt(
      new ServicePrincipal(`logs.${this.region}.amazonaws.com`, {
        conditions: {
          ArnLike: {
            "kms:EncryptionContext:aws:logs:arn": `arn:aws:logs:${this.region}:${this.account}:log-group:*`,
          },
        },
      }),
    );
    return key;
  }

  #makeGroups(): Groups {
    const group = (id: string, description: string, allowAllOutbound: boolean): ec2.SecurityGroup =>
      new ec2.SecurityGroup(this, id, { vpc: this.vpc, description, allowAllOutbound });
    // "All outbound" from an isolated subnet reaches the VPC and the endpoints: there is no other route.
    return {
      balancer: group("BalancerGroup", "Load balancer of the core", false),
      core: group("CoreGroup", "Core nodes", true),
      functions: group("FunctionsGroup", "Lambda functions in the VPC", true),
      database: group("DatabaseGroup", "Aurora", false),
      files: group("FilesGroup", "File systems of the core nodes", false),
      connector: group("ConnectorGroup", "Tunnel to Cloudflare; admits nothing", true),
    };
  }

  /** Who may open a connection to whom. */
  #admit(): void {
    const { balancer, core, functions, database, files, connector } = this.groups;
    for (const range of CLOUDFLARE_IPV4_RANGES) {
      balancer.addIngressRule(ec2.Peer.ipv4(range), ec2.Port.tcp(HTTPS_PORT), "Workers");
    }
    balancer.addEgressRule(core, ec2.Port.tcp(CORE_PORT), "to the core");
    core.addIngressRule(balancer, ec2.Port.tcp(CORE_PORT), "from the load balancer");
    core.addIngressRule(functions, ec2.Port.tcp(CORE_PORT), "from functions");
    core.addIngressRule(core, ec2.Port.tcp(CORE_PORT), "forwarded by the other nodes");
    core.addIngressRule(core, ec2.Port.tcp(CORE_PEER_PORT), "Raft from the other nodes");
    files.addIngressRule(core, ec2.Port.tcp(NFS_PORT), "from the core");
    database.addIngressRule(functions, ec2.Port.tcp(POSTGRES_PORT), "from functions");
    database.addIngressRule(connector, ec2.Port.tcp(POSTGRES_PORT), "from Hyperdrive through the tunnel");
    database.addIngressRule(
      database,
      ec2.Port.tcp(POSTGRES_PORT),
      "from the function that rotates the password",
    );
    database.addEgressRule(database, ec2.Port.tcp(POSTGRES_PORT), "the function that rotates the password");
    database.addEgressRule(ec2.Peer.ipv4(VPC_RANGE), ec2.Port.tcp(HTTPS_PORT), "its AWS endpoints");
  }

  #addEndpoints(): void {
    const subnets = { subnetType: ec2.SubnetType.PRIVATE_ISOLATED };
    this.vpc.addGatewayEndpoint("S3", { service: ec2.GatewayVpcEndpointAwsService.S3, subnets: [subnets] });
    this.vpc.addGatewayEndpoint("DynamoDb", {
      service: ec2.GatewayVpcEndpointAwsService.DYNAMODB,
      subnets: [subnets],
    });
    const endpoints = new ec2.SecurityGroup(this, "EndpointsGroup", {
      vpc: this.vpc,
      description: "AWS endpoints in the VPC",
      allowAllOutbound: false,
    });
    endpoints.addIngressRule(ec2.Peer.ipv4(VPC_RANGE), ec2.Port.tcp(HTTPS_PORT), "from inside the VPC");
    for (const [name, service] of Object.entries(INTERFACE_ENDPOINTS)) {
      this.vpc.addInterfaceEndpoint(name, { service, subnets, securityGroups: [endpoints], open: false });
    }
  }
}
