import { type ISecurityGroup, SecurityGroup } from "aws-cdk-lib/aws-ec2";
import type { Construct } from "constructs";

/**
 * `group` with the rules it has and no others: constructs would add their own, and who talks to whom is said in
 * network-stack.ts alone.
 */
export function fixedGroup(scope: Construct, id: string, group: ISecurityGroup): ISecurityGroup {
  return SecurityGroup.fromSecurityGroupId(scope, id, group.securityGroupId, { mutable: false });
}
