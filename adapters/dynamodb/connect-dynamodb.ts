import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { type AwsEndpoint, clientOptions } from "../aws/aws-endpoint.ts";

/** A client of DynamoDB or of its stand-in; nothing is connected until the first call. */
export const connectDynamoDb = (endpoint: AwsEndpoint): DynamoDBClient =>
  new DynamoDBClient(clientOptions(endpoint));
