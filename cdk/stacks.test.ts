// Over 400 lines: every stack is made once, and all that is asserted of them stands over it.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Match } from "aws-cdk-lib/assertions";
import { afterAll, describe, expect, it } from "vitest";
import { HINT_DELAY_S_MAX } from "../contracts/publish/publish-hint-queue.ts";
import { PUBLISH_HINTS_UNSENT_LINE } from "../contracts/publish/publish-hints-unsent.ts";
import { PUBLISH_OVERDUE_LINE } from "../contracts/publish/publish-overdue.ts";
import { DYNAMODB_TABLES } from "../contracts/dynamodb/tables.ts";
import { CLOUDFLARE_IPV4_RANGES } from "./cloudflare-ranges.ts";
import { CORE_SECRET_VARIABLES } from "./core-environment.ts";
import { FUNCTION_DEFINITIONS } from "./function-definitions.ts";
import { synthesise, type SynthesisedResource } from "./synthesise.testing.ts";

const root = join(import.meta.dirname, "..");
// Fails for any finding of cdk-nag that is not explained in code.
const { directory, templates, resources } = synthesise();
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const ofType = (...types: string[]): SynthesisedResource[] =>
  resources.filter(({ Type }) => types.includes(Type.replace("AWS::", "")));
const property = (resource: SynthesisedResource, name: string): unknown => resource.Properties?.[name];
const text = (value: unknown): string => JSON.stringify(value);
const template = (name: string) => templates[`conflux-${name}`]!;

describe("L6 the core's services", () => {
  const services = ofType("ECS::Service").filter(({ id }) => id.startsWith("Node"));

  it("are three, and never run two tasks of a node, not even while one is replaced", () => {
    expect(services).toHaveLength(3);
    for (const service of services) {
      expect(property(service, "DesiredCount")).toBe(1);
      expect(property(service, "DeploymentConfiguration")).toMatchObject({
        MinimumHealthyPercent: 0,
        MaximumPercent: 100,
      });
      expect(property(service, "AvailabilityZoneRebalancing")).toBe("DISABLED");
    }
  });

  it("are each pinned to one subnet of an own zone, where their disk is", () => {
    const subnets = services.map((service) => {
      const { AwsvpcConfiguration: network } = property(service, "NetworkConfiguration") as {
        AwsvpcConfiguration: { Subnets: unknown[]; AssignPublicIp: string };
      };
      expect(network.AssignPublicIp).toBe("DISABLED");
      expect(network.Subnets).toHaveLength(1);
      return text(network.Subnets);
    });
    expect(new Set(subnets).size).toBe(3);
    const targets = ofType("EFS::MountTarget").map((target) => text([property(target, "SubnetId")]));
    expect(targets.toSorted()).toEqual(subnets.toSorted());
  });

  it("are replaced one after the other, so that an update never costs the quorum", () => {
    const [first, second, third] = services.toSorted((a, b) => a.id.localeCompare(b.id));
    expect(text(second?.DependsOn)).toContain(first?.id);
    expect(text(third?.DependsOn)).toContain(second?.id);
  });

  it("K4 encrypt under the default key and under keys that bear the tag, and can open nothing", () => {
    const policies = ofType("IAM::Policy").filter(({ id }) => /^Task\d/.test(id));
    const statements = policies.flatMap(
      (policy) => (property(policy, "PolicyDocument") as { Statement: Record<string, unknown>[] }).Statement,
    );
    const about = (action: string) => statements.filter(({ Action }) => text(Action).includes(action));
    const encrypting = about("kms:ReEncryptTo");
    expect(encrypting).toHaveLength(6);
    for (const { Action, Resource, Condition } of encrypting) {
      expect(Action).not.toContain("kms:Decrypt");
      if (!text(Resource).includes("ConfigKey"))
        expect(Condition).toEqual({ StringEquals: { "aws:ResourceTag/conflux:application": "true" } });
    }
    for (const { Resource } of about("kms:Decrypt")) expect(text(Resource)).not.toContain("ConfigKey");
  });

  it("run read-only, as nobody in particular, with their secret from Secrets Manager and no way in", () => {
    const tasks = ofType("ECS::TaskDefinition");
    expect(tasks).toHaveLength(4);
    for (const task of tasks) {
      const containers = property(task, "ContainerDefinitions") as Record<string, unknown>[];
      for (const container of containers) {
        expect(container["ReadonlyRootFilesystem"], task.id).toBe(true);
        expect(container["User"], task.id).toMatch(/^[1-9]\d*:[1-9]\d*$/);
        expect(container["LogConfiguration"], task.id).toMatchObject({ LogDriver: "awslogs" });
      }
      const volumes = (property(task, "Volumes") ?? []) as { EFSVolumeConfiguration?: unknown }[];
      for (const { EFSVolumeConfiguration: volume } of volumes) {
        if (volume === undefined) continue;
        expect(volume).toMatchObject({
          TransitEncryption: "ENABLED",
          AuthorizationConfig: { IAM: "ENABLED", AccessPointId: expect.anything() as unknown },
        });
      }
    }
    for (const service of ofType("ECS::Service"))
      expect(property(service, "EnableExecuteCommand")).toBe(false);
  });

  it("get exactly the variables that the core reads", () => {
    const folder = join(root, "consensus/server");
    const sources = readdirSync(folder).filter(
      (name) => /^[\w-]+\.ts$/.test(name) && !name.startsWith("testing"),
    );
    const read = new Set(
      sources.flatMap(
        (name) => readFileSync(join(folder, name), "utf8").match(/(?<=")CONFLUX_[A-Z_]+(?=")/g) ?? [],
      ),
    );
    // These found the cluster; only a node that is added later joins (docs/operations.md).
    read.delete("CONFLUX_JOIN");
    const nodes = ofType("ECS::TaskDefinition").filter(({ id }) => id.startsWith("Task"));
    expect(nodes).toHaveLength(3);
    for (const task of nodes) {
      const core = (
        property(task, "ContainerDefinitions") as Record<string, { Name: string }[] & string>[]
      ).find((container) => container["Name"] === "core");
      const secret = core?.["Secrets"]?.map(({ Name }) => Name) ?? [];
      const plain = core?.["Environment"]?.map(({ Name }) => Name) ?? [];
      expect(secret).toEqual(CORE_SECRET_VARIABLES);
      expect([...plain, ...secret].toSorted()).toEqual([...read].toSorted());
    }
  });

  it("keep their disks in their own zone, out of AWS's backups, and let nobody mount without a role", () => {
    const disks = ofType("EFS::FileSystem");
    expect(new Set(disks.map((disk) => property(disk, "AvailabilityZoneName"))).size).toBe(3);
    for (const disk of disks) {
      expect(property(disk, "BackupPolicy")).toEqual({ Status: "DISABLED" });
      expect(text(property(disk, "FileSystemPolicy"))).toContain("elasticfilesystem:AccessedViaMountTarget");
    }
  });
});

describe("L6 no public way to the core", () => {
  const groups = ofType("EC2::SecurityGroup");
  const rules = [
    ...groups.flatMap(({ id, Properties }) =>
      ((Properties?.["SecurityGroupIngress"] ?? []) as Record<string, unknown>[]).map((rule) => ({
        id,
        ...rule,
      })),
    ),
    ...ofType("EC2::SecurityGroupIngress").map(({ id, Properties }) => ({ id, ...Properties })),
  ] as ({ id: string; CidrIp?: string; CidrIpv6?: string; FromPort: number } & Record<string, unknown>)[];

  it("address ranges are admitted to the load balancer (Cloudflare's) and to the endpoints (the VPC's) alone", () => {
    const ranges = rules.filter(({ CidrIp, CidrIpv6 }) => CidrIp !== undefined || CidrIpv6 !== undefined);
    const balancer = ranges.filter(({ id }) => id.startsWith("BalancerGroup"));
    expect(balancer.map(({ CidrIp }) => CidrIp)).toEqual([...CLOUDFLARE_IPV4_RANGES]);
    expect(balancer.every(({ FromPort }) => FromPort === 443)).toBe(true);
    const others = ranges.filter(({ id }) => !id.startsWith("BalancerGroup"));
    expect(others.map(({ id, CidrIp }) => [id.replace(/[0-9A-F]{8}$/, ""), CidrIp])).toEqual([
      ["EndpointsGroup", "10.40.0.0/16"],
    ]);
  });

  it("the private subnets have no route to the internet, and there is no NAT", () => {
    expect(ofType("EC2::NatGateway")).toEqual([]);
    const routes = ofType("EC2::Route");
    expect(routes.map(({ id }) => id.replace(/[0-9A-F]{8}$/, ""))).toEqual(
      expect.arrayContaining(["VpcedgeSubnet1DefaultRoute"]),
    );
    expect(routes.every(({ id }) => id.startsWith("VpcedgeSubnet"))).toBe(true);
  });

  it("the load balancer takes TLS 1.3 with a client certificate that our authority signed, and nothing else", () => {
    const listeners = ofType("ElasticLoadBalancingV2::Listener");
    expect(listeners).toHaveLength(1);
    expect(listeners[0]?.Properties).toMatchObject({
      Port: 443,
      Protocol: "HTTPS",
      SslPolicy: expect.stringContaining("TLS13-1-3") as string,
      MutualAuthentication: { Mode: "verify", IgnoreClientCertificateExpiry: false },
      DefaultActions: [{ Type: "fixed-response" }],
    });
    expect(ofType("ElasticLoadBalancingV2::TrustStore")).toHaveLength(1);
  });
});

describe("L6 data outlives its stacks and is encrypted", () => {
  const STATEFUL = [
    "RDS::DBCluster",
    "RDS::DBInstance",
    "DynamoDB::GlobalTable",
    "S3::Bucket",
    "EFS::FileSystem",
    "SecretsManager::Secret",
    "SQS::Queue",
  ];

  it.each(
    ofType(...STATEFUL, "KMS::Key")
      .filter(({ id }) => !id.startsWith("AlarmsKey"))
      .map((r) => [`${r.stack} ${r.id}`, r] as const),
  )("%s is kept", (_name, resource) => {
    expect(resource.DeletionPolicy).toMatch(/^Retain/);
    expect(resource.UpdateReplacePolicy).toMatch(/^Retain/);
  });

  it("databases, tables and the load balancer are protected from deletion", () => {
    template("data").hasResourceProperties("AWS::RDS::DBCluster", {
      DeletionProtection: true,
      StorageEncrypted: true,
      KmsKeyId: Match.anyValue(),
      EngineVersion: Match.stringLikeRegexp("^17\\."),
      ServerlessV2ScalingConfiguration: { MinCapacity: 0.5 },
    });
    const tables = ofType("DynamoDB::GlobalTable");
    expect(tables.map((table) => String(property(table, "TableName"))).toSorted()).toEqual(
      DYNAMODB_TABLES.map(({ tableName }) => tableName).toSorted(),
    );
    for (const table of tables) {
      expect(property(table, "SSESpecification")).toEqual({ SSEEnabled: true, SSEType: "KMS" });
      expect(property(table, "Replicas")).toMatchObject([
        {
          DeletionProtectionEnabled: true,
          PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        },
      ]);
      const definition = DYNAMODB_TABLES.find(
        ({ tableName }) => tableName === String(property(table, "TableName")),
      );
      if (definition?.ttlAttribute) {
        expect(property(table, "TimeToLiveSpecification")).toEqual({
          AttributeName: definition.ttlAttribute,
          Enabled: true,
        });
      }
    }
    expect(text(ofType("ElasticLoadBalancingV2::LoadBalancer"))).toContain(
      '{"Key":"deletion_protection.enabled","Value":"true"}',
    );
  });

  it("disks, buckets, queues, topics, secrets and logs are encrypted, and keys rotate", () => {
    for (const disk of ofType("EFS::FileSystem")) {
      expect(disk.Properties).toMatchObject({ Encrypted: true, KmsKeyId: expect.anything() as unknown });
    }
    for (const bucket of ofType("S3::Bucket")) {
      expect(bucket.Properties).toMatchObject({
        BucketEncryption: expect.anything() as unknown,
        VersioningConfiguration: { Status: "Enabled" },
        LifecycleConfiguration: expect.anything() as unknown,
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
      });
    }
    for (const topic of ofType("SNS::Topic")) expect(property(topic, "KmsMasterKeyId")).toBeDefined();
    for (const queue of ofType("SQS::Queue")) expect(property(queue, "KmsMasterKeyId")).toBeDefined();
    for (const secret of ofType("SecretsManager::Secret")) expect(property(secret, "KmsKeyId")).toBeDefined();
    for (const log of ofType("Logs::LogGroup")) {
      expect(property(log, "KmsKeyId"), log.id).toBeDefined();
      expect(property(log, "RetentionInDays"), log.id).toBeGreaterThan(0);
    }
    for (const key of ofType("KMS::Key")) expect(property(key, "EnableKeyRotation")).toBe(true);
  });
});

/** None at all for a function that needs none. */
const variablesOf = (found: SynthesisedResource): Record<string, unknown> =>
  (property(found, "Environment") as { Variables: Record<string, unknown> } | undefined)?.Variables ?? {};

describe("L6 functions", () => {
  const files = readdirSync(join(root, "lambdas")).filter((name) => /^[a-z-]+\.ts$/.test(name));

  it("there is one for each file of lambdas/, and no other", () => {
    expect(FUNCTION_DEFINITIONS.map(({ name }) => `${name}.ts`).toSorted()).toEqual(files.toSorted());
    expect(
      ofType("Lambda::Function")
        .map((f) => String(property(f, "FunctionName")))
        .toSorted(),
    ).toEqual(FUNCTION_DEFINITIONS.map(({ name }) => `conflux-${name}`).toSorted());
  });

  const functions = FUNCTION_DEFINITIONS.map((definition) => {
    const found = ofType("Lambda::Function").find(
      (f) => property(f, "FunctionName") === `conflux-${definition.name}`,
    );
    return [definition.name, definition, found!] as const;
  });

  it.each(functions)(
    "%s: ARM, an own role, a dead-letter queue, a log with an end, alarms",
    (name, _d, found) => {
      expect(found.Properties).toMatchObject({
        Architectures: ["arm64"],
        Runtime: "nodejs24.x",
        DeadLetterConfig: { TargetArn: expect.anything() as unknown },
        LoggingConfig: { LogGroup: expect.anything() as unknown },
        KmsKeyArn: expect.anything() as unknown,
      });
      const roles = functions.map(([, , f]) => text(property(f, "Role")));
      expect(roles.filter((role) => role === text(property(found, "Role")))).toHaveLength(1);
      const alarms = ofType("CloudWatch::Alarm").filter(({ id }) => id.includes(name.replaceAll("-", "")));
      expect(alarms.map((alarm) => String(property(alarm, "MetricName"))).toSorted()).toEqual([
        "ApproximateNumberOfMessagesVisible",
        "Errors",
        "Throttles",
      ]);
    },
  );

  it.each(functions)(
    "%s: gets exactly the variables that it reads, and its bundle loads",
    (_n, definition, found) => {
      const Variables = variablesOf(found);
      const asset = readdirSync(directory)
        .filter((entry) => entry.startsWith("asset."))
        .find((entry) => text(property(found, "Code")).includes(entry.slice("asset.".length)));
      const file = join(directory, asset ?? "", "index.mjs");
      const bundle = readFileSync(file, "utf8");
      const source = readFileSync(join(root, "lambdas", `${definition.name}.ts`), "utf8");
      const read = [...source.matchAll(/(?:environmentValue\(|process\.env\[)"([A-Z_]+)"/g)].map(
        (m) => m[1]!,
      );
      // Stand-ins of a development machine; what AWS's own clients read is not ours to set.
      const expected = read.filter((name) => !name.endsWith("_ENDPOINT"));
      const set = Object.keys(Variables).filter(
        (name) => !name.startsWith("NODE_") && !name.startsWith("AWS_"),
      );
      expect(set.toSorted()).toEqual([...new Set(expected)].toSorted());
      for (const name of set) expect(bundle).toContain(name);
      const check = `import(${text(file)}).then((m) => process.exit(typeof m.handler === "function" ? 0 : 1))`;
      execFileSync(process.execPath, ["-e", check], { stdio: ["ignore", "ignore", "inherit"] });
    },
  );
});

describe("L1 P5 what publish plans with gates need", () => {
  it("only a function that is to have one has a public URL; what posts to webhooks has no network and no rights of ours", () => {
    expect(ofType("Lambda::Url")).toHaveLength(FUNCTION_DEFINITIONS.filter(({ hasUrl }) => hasUrl).length);
    const poster = ofType("Lambda::Function").find(
      (f) => property(f, "FunctionName") === "conflux-gate-webhook",
    );
    expect(poster).toBeDefined();
    expect(poster && [property(poster, "VpcConfig"), variablesOf(poster)]).toEqual([undefined, {}]);
    const invoking = ofType("IAM::Policy").filter((policy) =>
      text(property(policy, "PolicyDocument")).includes("function:conflux-gate-webhook"),
    );
    expect(invoking.map(({ id }) => id.replace(/DefaultPolicy.*/, ""))).toEqual(["Rolepublishstage"]);
  });

  it("an overdue plan and a function that nobody starts wake somebody", () => {
    const alarms = ofType("CloudWatch::Alarm");
    const find = (id: string) => alarms.find((alarm) => alarm.id.startsWith(id));
    expect(find("PublishesOverdue")?.Properties).toMatchObject({
      MetricName: "OverduePublishes",
      Threshold: 1,
    });
    expect(find("PublishesNotLookedAt")?.Properties).toMatchObject({
      MetricName: "Invocations",
      TreatMissingData: "breaching",
    });
    const filters = ofType("Logs::MetricFilter").map((filter) => property(filter, "FilterPattern"));
    expect(filters).toContain('"publish overdue"');
  });
});

describe("L1 P4 hints from the projection to the publish stage", () => {
  const queues = ofType("SQS::Queue").filter(({ id }) => id.startsWith("PublishHints"));
  const queue = queues.find(({ id }) => id.startsWith("PublishHintsQueue"))!;
  const dead = queues.find(({ id }) => id.startsWith("PublishHintsDeadLetters"))!;
  const stage = FUNCTION_DEFINITIONS.find(({ name }) => name === "publish-stage")!;
  const functionOf = (name: string) =>
    ofType("Lambda::Function").find((f) => property(f, "FunctionName") === `conflux-${name}`)!;

  it("a message is kept from others while it is worked on, tried three times, and then kept for a look", () => {
    const { RedrivePolicy, VisibilityTimeout, MessageRetentionPeriod } = queue.Properties as {
      RedrivePolicy: { deadLetterTargetArn: unknown; maxReceiveCount: number };
      VisibilityTimeout: number;
      MessageRetentionPeriod: number;
    };
    expect(VisibilityTimeout).toBeGreaterThanOrEqual(6 * stage.timeoutS);
    expect(text(RedrivePolicy.deadLetterTargetArn)).toContain(dead.id);
    expect(RedrivePolicy.maxReceiveCount).toBe(3);
    // No message ends of its age before it was delayed and delivered so often.
    expect(MessageRetentionPeriod).toBeGreaterThan(HINT_DELAY_S_MAX + 3 * VisibilityTimeout);
    expect(Number(property(dead, "MessageRetentionPeriod"))).toBeGreaterThan(MessageRetentionPeriod);
  });

  it("one mapping, small batches with partial answers, few at once", () => {
    const mappings = ofType("Lambda::EventSourceMapping");
    expect(mappings.map((mapping) => mapping.Properties)).toEqual([
      expect.objectContaining({
        BatchSize: 5,
        FunctionResponseTypes: ["ReportBatchItemFailures"],
        ScalingConfig: { MaximumConcurrency: 2 },
        FunctionName: { Ref: functionOf("publish-stage").id },
        EventSourceArn: { "Fn::GetAtt": [queue.id, "Arn"] },
      }),
    ]);
  });

  it("the projection may send and knows where; nobody else has anything to do with the queue", () => {
    const statements = ofType("IAM::Policy").flatMap((policy) =>
      (property(policy, "PolicyDocument") as { Statement: Record<string, unknown>[] }).Statement.map(
        (statement) => [policy.id.replace(/DefaultPolicy.*/, ""), statement] as const,
      ),
    );
    const about = statements.filter(([, { Resource }]) => text(Resource).includes(queue.id));
    expect(about.map(([role, { Action }]) => [role, Action])).toEqual([
      ["Rolefeedprojection", "sqs:SendMessage"],
      ["Rolepublishstage", ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]],
    ]);
    const knowing = ofType("Lambda::Function").filter((f) => text(variablesOf(f)).includes(queue.id));
    expect(knowing.map(({ id }) => id)).toEqual([functionOf("feed-projection").id]);
    const endpoints = ofType("EC2::VPCEndpoint").map((endpoint) => text(property(endpoint, "ServiceName")));
    expect(endpoints.some((service) => service.includes(".sqs"))).toBe(true);
  });

  it("hints that are not sent, not fetched or given up ring alarms", () => {
    const alarms = ofType("CloudWatch::Alarm").filter(({ id }) => id.startsWith("Hints"));
    expect(alarms.map((alarm) => String(property(alarm, "MetricName"))).toSorted()).toEqual([
      "ApproximateAgeOfOldestMessage",
      "ApproximateNumberOfMessagesVisible",
      "PublishHintsUnsent",
    ]);
    const filters = ofType("Logs::MetricFilter").map((filter) => property(filter, "FilterPattern"));
    expect(filters).toContain(`"${PUBLISH_HINTS_UNSENT_LINE}"`);
  });
});

describe("L6 P4 a plan that nobody moves", () => {
  it("rings an alarm, by the line that the core's leader logs of it", () => {
    const filters = ofType("Logs::MetricFilter").filter((filter) =>
      text(property(filter, "FilterPattern")).includes(PUBLISH_OVERDUE_LINE),
    );
    expect(filters.map((filter) => property(filter, "MetricTransformations"))).toEqual([
      [expect.objectContaining({ MetricName: "PublishOldestDueSeconds", MetricValue: "$.due_for_s" })],
    ]);
    const alarms = ofType("CloudWatch::Alarm").filter(
      (alarm) => property(alarm, "MetricName") === "PublishOldestDueSeconds",
    );
    expect(alarms).toHaveLength(1);
    expect(alarms[0]?.Properties).toMatchObject({
      Namespace: "Conflux",
      Statistic: "Maximum",
      Threshold: 1,
      TreatMissingData: "notBreaching",
      AlarmActions: [expect.anything() as unknown],
    });
  });
});

describe("L6 roles and secrets", () => {
  /** Statements of each role, from its own and its attached policies, with the references' names alone. */
  const roles = Object.fromEntries(
    ofType("IAM::Role").map((role) => {
      const name = role.id.replace(/[0-9A-F]{8}$/, "");
      const attached = ofType("IAM::Policy").filter((policy) =>
        text(property(policy, "Roles")).includes(`"${role.id}"`),
      );
      const statements = attached.flatMap(
        (policy) => (property(policy, "PolicyDocument") as { Statement: unknown[] }).Statement,
      );
      return [
        `${role.stack}/${name}`,
        {
          assumedBy: property(role, "AssumeRolePolicyDocument"),
          managed: property(role, "ManagedPolicyArns"),
          statements,
        },
      ];
    }),
  );

  it("whoever sends to a queue may have SQS use the queue's key, without which nothing would arrive", () => {
    const senders = Object.entries(roles).filter(([, role]) => text(role).includes("sqs:SendMessage"));
    expect(senders.length).toBeGreaterThan(FUNCTION_DEFINITIONS.length);
    for (const [name, { statements }] of senders) {
      const uses = (statements as { Action: string | string[]; Condition?: unknown }[]).filter(
        ({ Action, Condition = {} }) =>
          text(Condition).includes("sqs.eu-central-1.amazonaws.com") &&
          Action.includes("kms:GenerateDataKey"),
      );
      expect(uses, name).toHaveLength(1);
    }
  });

  it("every role may do what the snapshot says, and no more", () => {
    expect(roles).toMatchSnapshot();
  });

  it("no template holds a secret", () => {
    for (const [name, synthesised] of Object.entries(templates)) {
      const json = JSON.stringify(synthesised.toJSON());
      expect(json, name).not.toMatch(/-----BEGIN (?!CERTIFICATE)/);
      expect(json, name).not.toMatch(/"(?:SecretString|MasterUserPassword)":"(?!\{\{resolve)/);
      for (const [, value] of json.matchAll(/"(?:CORE_SERVICE_KEY|LAMBDA_SERVICE_KEY)":("[^"]*"|\{)/g)) {
        expect(value, name).toBe("{");
      }
    }
    for (const found of ofType("Lambda::Function")) {
      const Variables = variablesOf(found);
      for (const [name, value] of Object.entries(Variables)) {
        if (/KEY$|DATABASE_URL/.test(name)) expect(text(value), name).toContain("{{resolve:secretsmanager:");
      }
    }
  });
});
