import { Stack } from "aws-cdk-lib";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { Construct } from "constructs";

/** What a role needs besides the queue itself: to send, SQS makes a data key and opens it again. */
export const SEND_ENCRYPTED = ["kms:GenerateDataKey", "kms:Decrypt"];
export const RECEIVE_ENCRYPTED = ["kms:Decrypt"];

/** SQS uses a queue's key in the name of whoever calls it; nobody can use it past SQS by this. */
export function useQueueKey(scope: Construct, key: IKey, actions: readonly string[]): PolicyStatement {
  return new PolicyStatement({
    actions: [...actions],
    resources: [key.keyArn],
    conditions: { StringEquals: { "kms:ViaService": `sqs.${Stack.of(scope).region}.amazonaws.com` } },
  });
}
