/**
 * The gray groups of a publish that names no stages (seed 000): one region, then three, and when the plan is full every
 * region. They are advanced by hand.
 */
export const DEFAULT_GRAY_GROUPS: readonly (readonly string[])[] = [
  ["ap-southeast-2"],
  ["cn-chengdu", "ap-southeast-2", "cn-shanghai"],
];
