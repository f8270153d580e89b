/**
 * The queue of hints, from the feed's projection to publish-stage. Encrypted, with its own dead letters; who sends may only
 * send.
 */
import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { type Role, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { Key } from "aws-cdk-lib/aws-kms";
import { EventSourceMapping } from "aws-cdk-lib/aws-lambda";
import type { NodejsFunction } from "aws-cdk-lib/aws-lambda-nodejs";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import { RECEIVE_ENCRYPTED, SEND_ENCRYPTED, useQueueKey } from "./use-queue-key.ts";

/**
 * Messages that one invocation gets. They are followed side by side, so a batch takes no longer than its slowest plan's gates;
 * few, because one that runs out of time makes all of them come again.
 */
const BATCH_MAX = 5;
/** Invocations at once that the queue may begin (the least that AWS takes), besides the schedule's. */
const CONCURRENCY_MAX = 2;
/** Of the function's time: what AWS asks for, so that a message is not delivered again while it is being worked on. */
const VISIBILITY_TIMEOUTS = 6;
const RECEIVES_MAX = 3;
/** By then the schedule has long seen to it: the longest delay, all deliveries, and some. */
const RETENTION_HOURS = 4;
const DEAD_LETTER_DAYS = 14;

export interface PublishHintsProps {
  key: Key;
  /** Of the function that takes hints. */
  timeoutS: number;
}

export class PublishHints extends Construct {
  readonly queue: Queue;
  readonly deadLetters: Queue;
  readonly #key: Key;

  constructor(scope: Construct, id: string, { key, timeoutS }: PublishHintsProps) {
    super(scope, id);
    this.#key = key;
    const common = {
      encryption: QueueEncryption.KMS,
      encryptionMasterKey: key,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.RETAIN,
    };
    this.deadLetters = new Queue(this, "DeadLetters", {
      ...common,
      retentionPeriod: Duration.days(DEAD_LETTER_DAYS),
    });
    acknowledge(this.deadLetters, "It is itself where failed messages go.", "SQS3");
    this.queue = new Queue(this, "Queue", {
      ...common,
      visibilityTimeout: Duration.seconds(VISIBILITY_TIMEOUTS * timeoutS),
      retentionPeriod: Duration.hours(RETENTION_HOURS),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: RECEIVES_MAX },
    });
  }

  /** Lets `role` send, and nothing else. */
  letSend(role: Role): void {
    role.addToPolicy(new PolicyStatement({ actions: ["sqs:SendMessage"], resources: [this.queue.queueArn] }));
    role.addToPolicy(useQueueKey(this, this.#key, SEND_ENCRYPTED));
  }

  /** Has the queue's messages handed to `handler`; they are fetched in the name of its `role`. */
  deliverTo(handler: NodejsFunction, role: Role): void {
    role.addToPolicy(
      new PolicyStatement({
        actions: ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        resources: [this.queue.queueArn],
      }),
    );
    role.addToPolicy(useQueueKey(this, this.#key, RECEIVE_ENCRYPTED));
    new EventSourceMapping(this, "Source", {
      target: handler,
      eventSourceArn: this.queue.queueArn,
      batchSize: BATCH_MAX,
      maxConcurrency: CONCURRENCY_MAX,
      reportBatchItemFailures: true,
    });
  }
}
