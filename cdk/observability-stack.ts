/** What wakes somebody, and the page they then look at. Every alarm goes to one topic with one subscriber. */
import { Duration, Stack, type StackProps } from "aws-cdk-lib";
import * as cw from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { FilterPattern, MetricFilter } from "aws-cdk-lib/aws-logs";
import { Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import type { Construct } from "constructs";
import { PUBLISH_HINTS_UNSENT_LINE } from "../contracts/publish/publish-hints-unsent.ts";
import { PUBLISH_OVERDUE_LINE } from "../contracts/publish/publish-overdue.ts";
import type { CoreStack } from "./core-stack.ts";
import type { DataStack } from "./data-stack.ts";
import type { DeploymentSettings } from "./deployment-settings.ts";
import type { DeployedFunction, FunctionsStack } from "./functions-stack.ts";

const PERIOD = Duration.minutes(1);
const NAMESPACE = "Conflux";
/** Aurora below this has to be given room before it is full of connections or of work. */
const DATABASE_CPU_PERCENT_MAX = 80;
/** A minute's failed handshakes: scanners make a few. */
const HANDSHAKE_ERRORS_MAX = 20;
/** Of the oldest hint: the longest delay, and a quarter of an hour more. */
const HINT_AGE_S_MAX = 30 * 60;
/** A share of what an elastic file system can do; above it writes wait. */
const DISK_IO_PERCENT_MAX = 80;

export interface ObservabilityStackProps extends StackProps {
  settings: DeploymentSettings;
  data: DataStack;
  core: CoreStack;
  functions: FunctionsStack;
}

export class ObservabilityStack extends Stack {
  readonly #alarms: cw.Alarm[] = [];
  readonly #topic: Topic;

  constructor(scope: Construct, id: string, props: ObservabilityStackProps) {
    super(scope, id, props);
    this.#topic = this.#makeTopic(props.settings.alarmEmail);
    this.#watchCore(props.core);
    this.#watchData(props.data);
    for (const deployed of props.functions.functions) this.#watchFunction(deployed);
    this.#watchPublishes(props.functions.functions);
    this.#watchHints(props.functions);
    this.#makeDashboard(props);
  }

  #makeTopic(email: string): Topic {
    const key = new Key(this, "AlarmsKey", { description: "Conflux: alarms", enableKeyRotation: true });
    // CloudWatch publishes with a key it must be let use; the key that AWS keeps for SNS does not let it.
    key.grantEncryptDecrypt(
      new ServicePrincipal("cloudwatch.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": this.account } },
      }),
    );
    const topic = new Topic(this, "Alarms", { masterKey: key, enforceSSL: true });
    topic.addSubscription(new EmailSubscription(email));
    return topic;
  }

  #alarm(
    id: string,
    metric: cw.IMetric,
    options: Partial<cw.CreateAlarmOptions> & { description: string },
  ): void {
    const { description, ...rest } = options;
    const alarm = new cw.Alarm(this, id, {
      metric,
      threshold: 1,
      evaluationPeriods: 1,
      comparisonOperator: cw.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: cw.TreatMissingData.NOT_BREACHING,
      alarmDescription: description,
      ...rest,
    });
    const action = new SnsAction(this.#topic);
    alarm.addAlarmAction(action);
    alarm.addOkAction(action);
    this.#alarms.push(alarm);
  }

  #watchCore({ targets, balancer, logGroup }: CoreStack): void {
    for (const [i, target] of targets.entries()) {
      this.#alarm(`CoreNode${i + 1}Down`, target.metrics.unhealthyHostCount({ period: PERIOD }), {
        description: `Core node ${i + 1} does not answer. One node down costs nothing; two stop every write.`,
        evaluationPeriods: 5,
      });
      this.#alarm(
        `CoreNode${i + 1}Missing`,
        target.metrics.healthyHostCount({ period: PERIOD, statistic: "Minimum" }),
        {
          description: `Core node ${i + 1} has no task. Look at the service's events and at its disk.`,
          evaluationPeriods: 5,
          comparisonOperator: cw.ComparisonOperator.LESS_THAN_THRESHOLD,
          treatMissingData: cw.TreatMissingData.BREACHING,
        },
      );
    }
    const refused = balancer.metrics.custom("ClientTLSNegotiationErrorCount", {
      statistic: "Sum",
      period: PERIOD,
    });
    this.#alarm("CoreHandshakes", refused, {
      description: "Callers fail the handshake: a Worker's client certificate may have run out.",
      threshold: HANDSHAKE_ERRORS_MAX,
      evaluationPeriods: 5,
    });
    const errors = new MetricFilter(this, "CoreErrors", {
      logGroup,
      filterPattern: FilterPattern.stringValue("$.level", "=", "error"),
      metricNamespace: NAMESPACE,
      metricName: "CoreErrors",
      metricValue: "1",
      defaultValue: 0,
    });
    this.#alarm("CoreErrorLines", errors.metric({ statistic: "Sum", period: PERIOD }), {
      description: "A core node logged an error.",
    });
    this.#watchOldestPublish(logGroup);
  }

  /** The leader says so once a minute while it is so. */
  #watchOldestPublish(logGroup: CoreStack["logGroup"]): void {
    const overdue = new MetricFilter(this, "OldestDuePublish", {
      logGroup,
      filterPattern: FilterPattern.stringValue("$.msg", "=", PUBLISH_OVERDUE_LINE),
      metricNamespace: NAMESPACE,
      metricName: "PublishOldestDueSeconds",
      metricValue: "$.due_for_s",
    });
    this.#alarm("PublishOverdue", overdue.metric({ statistic: "Maximum", period: PERIOD }), {
      description:
        "A publish plan has been due for an hour and nobody moves it: publish-stage does not run, or a freeze, a " +
        "missing approval or a gate holds it. The core's log names the plan.",
      evaluationPeriods: 3,
    });
  }

  #watchData({ database, disks, tables }: DataStack): void {
    this.#alarm("DatabaseBusy", database.metricCPUUtilization({ period: PERIOD }), {
      description: "Postgres works at its limit: raise its capacity or look for a slow query.",
      threshold: DATABASE_CPU_PERCENT_MAX,
      evaluationPeriods: 10,
    });
    this.#alarm("DatabaseFull", database.metric("ACUUtilization", { period: PERIOD, statistic: "Average" }), {
      description: "Aurora runs at its greatest capacity.",
      threshold: 95,
      evaluationPeriods: 10,
    });
    for (const [i, { fileSystem }] of disks.entries()) {
      const metric = new cw.Metric({
        namespace: "AWS/EFS",
        metricName: "PercentIOLimit",
        dimensionsMap: { FileSystemId: fileSystem.fileSystemId },
        statistic: "Maximum",
        period: PERIOD,
      });
      this.#alarm(`Disk${i + 1}Busy`, metric, {
        description: `The disk of core node ${i + 1} is at its limit; writes wait for it.`,
        threshold: DISK_IO_PERCENT_MAX,
        evaluationPeriods: 10,
      });
    }
    for (const [name, table] of tables) {
      this.#alarm(`Table-${name}`, table.metric("SystemErrors", { statistic: "Sum", period: PERIOD }), {
        description: `DynamoDB fails for ${name}.`,
        evaluationPeriods: 5,
      });
    }
  }

  #watchFunction({ definition, handler, deadLetters }: DeployedFunction): void {
    const { name } = definition;
    this.#alarm(`Errors-${name}`, handler.metricErrors({ period: PERIOD }), {
      description: `${name} fails: its log says why.`,
      evaluationPeriods: 3,
    });
    this.#alarm(`Throttled-${name}`, handler.metricThrottles({ period: PERIOD }), {
      description: `${name} is held back by the account's limit of concurrent functions.`,
      evaluationPeriods: 3,
    });
    const waiting = deadLetters.metricApproximateNumberOfMessagesVisible({ period: PERIOD });
    this.#alarm(`DeadLetters-${name}`, waiting, {
      description: `Events that ${name} could not handle wait.`,
    });
  }

  /** A plan that does not go on, and a function that nobody starts, which would not say so itself. */
  #watchPublishes(functions: readonly DeployedFunction[]): void {
    const stage = functions.find(({ definition }) => definition.name === "publish-stage");
    if (stage === undefined) throw new Error("there is no publish-stage");
    const overdue = new MetricFilter(this, "OverduePublishes", {
      logGroup: stage.logGroup,
      // A term, since Lambda writes time and request before the line's JSON.
      filterPattern: FilterPattern.allTerms("publish overdue"),
      metricNamespace: NAMESPACE,
      metricName: "OverduePublishes",
      metricValue: "1",
      defaultValue: 0,
    });
    this.#alarm("PublishesOverdue", overdue.metric({ statistic: "Sum", period: PERIOD }), {
      description:
        "A publish plan has baked an hour ago and does not go on: see its gates, approvals, freezes.",
      evaluationPeriods: 3,
    });
    const started = stage.handler.metricInvocations({ period: PERIOD, statistic: "Sum" });
    this.#alarm("PublishesNotLookedAt", started, {
      description: "publish-stage is not started, so no plan goes on or is stopped by its gates.",
      evaluationPeriods: 5,
      comparisonOperator: cw.ComparisonOperator.LESS_THAN_THRESHOLD,
      treatMissingData: cw.TreatMissingData.BREACHING,
    });
  }

  /** Hints only save waiting: without them plans go on with the schedule's next minute. */
  #watchHints({ functions, hints }: FunctionsStack): void {
    const projection = functions.find(({ definition }) => definition.name === "feed-projection");
    if (projection === undefined) throw new Error("there is no feed-projection");
    const unsent = new MetricFilter(this, "UnsentHints", {
      logGroup: projection.logGroup,
      filterPattern: FilterPattern.allTerms(PUBLISH_HINTS_UNSENT_LINE),
      metricNamespace: NAMESPACE,
      metricName: "PublishHintsUnsent",
      metricValue: "1",
      defaultValue: 0,
    });
    this.#alarm("HintsUnsent", unsent.metric({ statistic: "Sum", period: PERIOD }), {
      description:
        "feed-projection cannot send hints, so plans go on up to a minute later: its log says why.",
      evaluationPeriods: 5,
    });
    const age = hints.queue.metricApproximateAgeOfOldestMessage({ period: PERIOD });
    this.#alarm("HintsWait", age, {
      description: "Hints are not fetched: publish-stage is throttled, or its event source is off.",
      threshold: HINT_AGE_S_MAX,
      evaluationPeriods: 5,
    });
    const dead = hints.deadLetters.metricApproximateNumberOfMessagesVisible({ period: PERIOD });
    this.#alarm("HintsDead", dead, {
      description: "Hints that publish-stage failed on three times, or that are none. They may be deleted.",
    });
  }

  #makeDashboard({ core, data, functions }: ObservabilityStackProps): void {
    const graph = (title: string, left: cw.IMetric[]): cw.GraphWidget =>
      new cw.GraphWidget({ title, left, width: 12, height: 6 });
    const dashboard = new cw.Dashboard(this, "Dashboard", { dashboardName: "conflux" });
    dashboard.addWidgets(new cw.AlarmStatusWidget({ title: "Alarms", alarms: this.#alarms, width: 24 }));
    dashboard.addWidgets(
      graph(
        "Core: requests",
        core.targets.map((t) => t.metrics.requestCount()),
      ),
      graph(
        "Core: response time",
        core.targets.map((t) => t.metrics.targetResponseTime({ statistic: "p99" })),
      ),
      graph(
        "Core: processor",
        core.services.map((s) => s.metricCpuUtilization()),
      ),
      graph(
        "Core: memory",
        core.services.map((s) => s.metricMemoryUtilization()),
      ),
      graph("Postgres: capacity", [
        data.database.metric("ServerlessDatabaseCapacity", { statistic: "Average" }),
      ]),
      graph("Postgres: connections", [data.database.metricDatabaseConnections()]),
      graph(
        "Functions: errors",
        functions.functions.map((f) => f.handler.metricErrors()),
      ),
      graph(
        "Functions: duration",
        functions.functions.map((f) => f.handler.metricDuration({ statistic: "p99" })),
      ),
    );
  }
}
