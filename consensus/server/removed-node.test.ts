import { expect, it } from "vitest";
import type { CoreContext } from "./core-context.ts";
import { isKnownRemoved, isRemoved } from "./removed-node.ts";

function node(of: {
  leaderId: number | null;
  member: boolean;
  removed: boolean;
  heard: boolean;
}): CoreContext {
  return {
    log: { status: () => ({ nodeId: 3, leaderId: of.leaderId }) },
    book: {
      isMember: () => of.member,
      recordOf: () => ({ removed: of.removed }),
      heardOfOwnRemoval: of.heard,
    },
  } as unknown as CoreContext;
}

it.each([
  { leaderId: 1, member: true, removed: true, heard: true, is: false, isKnown: false },
  { leaderId: null, member: false, removed: true, heard: true, is: true, isKnown: true },
  { leaderId: null, member: true, removed: false, heard: true, is: false, isKnown: true },
  { leaderId: null, member: true, removed: false, heard: false, is: false, isKnown: false },
])("R7 knows whether it was removed: $leaderId $member $removed $heard", ({ is, isKnown, ...of }) => {
  expect([isRemoved(node(of)), isKnownRemoved(node(of))]).toEqual([is, isKnown]);
});
