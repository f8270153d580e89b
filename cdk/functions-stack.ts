/**
 * The Lambda functions, each from its definition (function-definitions.ts): a bundle, a role with no more than its
 * needs, an encrypted log with an end, a dead-letter queue and what starts it; and the queue of hints between two of them.
 */
import { ArnFormat, CfnOutput, Duration, Fn, RemovalPolicy, Stack, type StackProps } from "aws-cdk-lib";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, type CfnFunction, FunctionUrlAuthType, Runtime } from "aws-cdk-lib/aws-lambda";
import { NodejsFunction, OutputFormat } from "aws-cdk-lib/aws-lambda-nodejs";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { Schedule, ScheduleExpression, ScheduleGroup } from "aws-cdk-lib/aws-scheduler";
import { LambdaInvoke } from "aws-cdk-lib/aws-scheduler-targets";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import { internalCoreUrls } from "./core-environment.ts";
import type { DataStack } from "./data-stack.ts";
import { DATABASE_NAME, PROJECT_DIRECTORY } from "./deployment-settings.ts";
import {
  FUNCTION_DEFINITIONS,
  type FunctionDefinition,
  type FunctionNeed,
  HINTED_FUNCTION,
  TABLES_OF_NEED,
  WEBHOOK_FUNCTION,
} from "./function-definitions.ts";
import { fixedGroup } from "./fixed-group.ts";
import type { NetworkStack } from "./network-stack.ts";
import { PublishHints } from "./publish-hints.ts";
import { SEND_ENCRYPTED, useQueueKey } from "./use-queue-key.ts";

const DEAD_LETTER_DAYS = 14;
/** With this Node trusts the authorities of RDS, whose certificates no public one signs. */
const LAMBDA_AUTHORITIES = "/var/runtime/ca-cert.pem";

export interface FunctionsStackProps extends StackProps {
  network: NetworkStack;
  data: DataStack;
}

/** A function and the queue of what it could not do. */
export interface DeployedFunction {
  definition: FunctionDefinition;
  handler: NodejsFunction;
  deadLetters: Queue;
  logGroup: LogGroup;
}

export class FunctionsStack extends Stack {
  readonly functions: readonly DeployedFunction[];
  readonly hints: PublishHints;
  readonly #props: FunctionsStackProps;

  constructor(scope: Construct, id: string, props: FunctionsStackProps) {
    super(scope, id, props);
    this.#props = props;
    const group = new ScheduleGroup(this, "Schedules", {
      scheduleGroupName: "conflux",
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const hinted = FUNCTION_DEFINITIONS.find(({ name }) => name === HINTED_FUNCTION);
    if (hinted === undefined) throw new Error(`there is no ${HINTED_FUNCTION}`);
    const { timeoutS } = hinted;
    this.hints = new PublishHints(this, "PublishHints", { key: props.data.dataKey, timeoutS });
    this.functions = FUNCTION_DEFINITIONS.map((definition) => this.#deploy(definition, group));
  }

  #deploy(definition: FunctionDefinition, group: ScheduleGroup): DeployedFunction {
    const { name } = definition;
    const deadLetters = this.#makeQueue(name);
    const logGroup = this.#makeLog(name);
    const role = this.#makeRole(definition, logGroup);
    const handler = this.#makeFunction(definition, role, deadLetters, logGroup);
    if (name === HINTED_FUNCTION) this.hints.deliverTo(handler, role);
    if (definition.hasUrl) {
      // The handler itself asks for a service token: a Worker has no AWS identity to sign with.
      const url = handler.addFunctionUrl({ authType: FunctionUrlAuthType.NONE });
      new CfnOutput(this, `Url-${name}`, { value: url.url });
    } else if (definition.everyMinutes !== null) {
      const starter = new Role(this, `ScheduleRole-${name}`, {
        assumedBy: new ServicePrincipal("scheduler.amazonaws.com", {
          conditions: { StringEquals: { "aws:SourceAccount": this.account } },
        }),
        description: `Starts conflux-${name}`,
      });
      const { logicalId } = handler.node.defaultChild as CfnFunction;
      const finding = `IAM5[Resource::<${this.resolve(logicalId) as string}.Arn>:*]`;
      starter.addToPolicy(useQueueKey(this, this.#props.data.dataKey, SEND_ENCRYPTED));
      acknowledge(starter, "`<function>:*` are the versions of one function.", finding);
      const target = new LambdaInvoke(handler, {
        role: starter,
        deadLetterQueue: deadLetters,
        retryAttempts: 0,
      });
      new Schedule(this, `Schedule-${name}`, {
        schedule: ScheduleExpression.rate(Duration.minutes(definition.everyMinutes)),
        target,
        scheduleGroup: group,
        description: definition.description,
      });
    }
    return { definition, handler, deadLetters, logGroup };
  }

  #makeLog(name: string): LogGroup {
    return new LogGroup(this, `Log-${name}`, {
      retention: RetentionDays.ONE_MONTH,
      encryptionKey: this.#props.network.logsKey,
      removalPolicy: RemovalPolicy.DESTROY,
    });
  }

  #makeQueue(name: string): Queue {
    const queue = new Queue(this, `DeadLetters-${name}`, {
      encryption: QueueEncryption.KMS,
      encryptionMasterKey: this.#props.data.dataKey,
      enforceSSL: true,
      retentionPeriod: Duration.days(DEAD_LETTER_DAYS),
      removalPolicy: RemovalPolicy.RETAIN,
    });
    acknowledge(queue, "It is itself where failed events go.", "SQS3");
    return queue;
  }

  #makeFunction(
    definition: FunctionDefinition,
    role: Role,
    deadLetterQueue: Queue,
    logGroup: LogGroup,
  ): NodejsFunction {
    const { name, inVpc } = definition;
    const { network, data } = this.#props;
    const inside = {
      vpc: network.vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
      securityGroups: [fixedGroup(this, `Group-${name}`, network.groups.functions)],
    };
    return new NodejsFunction(this, name, {
      functionName: `conflux-${name}`,
      description: definition.description,
      entry: `${PROJECT_DIRECTORY}lambdas/${name}.ts`,
      projectRoot: PROJECT_DIRECTORY,
      depsLockFilePath: `${PROJECT_DIRECTORY}package-lock.json`,
      handler: "handler",
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: definition.memoryMib,
      timeout: Duration.seconds(definition.timeoutS),
      retryAttempts: 0,
      role,
      logGroup,
      deadLetterQueue,
      environment: Object.assign({}, ...definition.needs.map((need) => this.#variables(need))) as Record<
        string,
        string
      >,
      environmentEncryption: data.dataKey,
      bundling: { format: OutputFormat.ESM, target: "es2024", externalModules: [] },
      ...(inVpc ? inside : {}),
    });
  }

  #makeRole({ name, needs, inVpc }: FunctionDefinition, logGroup: LogGroup): Role {
    const role = new Role(this, `Role-${name}`, {
      assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
      description: `conflux-${name}`,
    });
    logGroup.grantWrite(role);
    // The function's failed events go to an encrypted queue in the name of its role.
    role.addToPolicy(useQueueKey(this, this.#props.data.dataKey, SEND_ENCRYPTED));
    for (const need of needs) {
      const access = TABLES_OF_NEED[need];
      const table = access && this.#props.data.tables.get(access.table);
      if (access && table) {
        table.grant(role, ...access.actions);
        role.addToPolicy(this.#useTableKey());
      }
    }
    if (needs.includes(WEBHOOK_FUNCTION)) {
      role.addToPolicy(
        new PolicyStatement({ actions: ["lambda:InvokeFunction"], resources: [this.#webhookFunctionArn()] }),
      );
    }
    if (needs.includes("publish-hints")) this.hints.letSend(role);
    if (inVpc) {
      role.addToPolicy(
        new PolicyStatement({
          actions: [
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface",
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
          ],
          resources: ["*"],
        }),
      );
      acknowledge(
        role,
        "Lambda makes the function's network interfaces in the role's name; they have no name to give before.",
        "IAM5[Resource::*]",
      );
    }
    return role;
  }

  /** By its name, so that the order of the definitions does not matter. */
  #webhookFunctionArn(): string {
    return this.formatArn({
      service: "lambda",
      resource: "function",
      resourceName: `conflux-${WEBHOOK_FUNCTION}`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  }

  /** DynamoDB uses the table's key in the name of whoever calls it; nobody can use it past DynamoDB by this. */
  #useTableKey(): PolicyStatement {
    return new PolicyStatement({
      actions: [
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:DescribeKey",
      ],
      resources: [this.#props.data.dataKey.keyArn],
      conditions: { StringEquals: { "kms:ViaService": `dynamodb.${this.region}.amazonaws.com` } },
    });
  }

  /** Secret values are references that CloudFormation resolves; a template holds none. */
  #variables(need: FunctionNeed): Record<string, string> {
    const { secrets, database } = this.#props.data;
    switch (need) {
      case "core": {
        return {
          CORE_URLS: JSON.stringify(internalCoreUrls()),
          CORE_SERVICE_KEY: secrets.coreService.secretValue.unsafeUnwrap(),
        };
      }
      case "database": {
        const password = secrets.appDatabase.secretValue.unsafeUnwrap();
        const { hostname, port } = database.clusterEndpoint;
        const address = Fn.join("", [hostname, ":", String(port), "/", DATABASE_NAME]);
        return {
          DATABASE_URL: `postgres://conflux_app:${password}@${address}?sslmode=verify-full`,
          NODE_EXTRA_CA_CERTS: LAMBDA_AUTHORITIES,
        };
      }
      case "lambda-service-key":
        return { LAMBDA_SERVICE_KEY: secrets.lambdaService.secretValue.unsafeUnwrap() };
      case WEBHOOK_FUNCTION:
        return { GATE_WEBHOOK_FUNCTION: `conflux-${WEBHOOK_FUNCTION}` };
      case "publish-hints":
        return { PUBLISH_HINTS_QUEUE_URL: this.hints.queue.queueUrl };
      case "cursors":
      case "leases":
        return {};
      default:
        return need satisfies never;
    }
  }
}
