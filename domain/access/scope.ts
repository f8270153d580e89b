import { isConfigName } from "../config/config-name.ts";

const READ = "read:";

/**
 * Resource patterns: segments joined by `/`; `*` matches exactly one segment, `**` (last only) matches one or more.
 * Everything else is literal and case-sensitive.
 */
export function isResourcePattern(pattern: string): boolean {
  const segments = pattern.split("/");
  return (
    segments.length <= 4 &&
    segments.every((s, i) => s === "*" || (s === "**" && i === segments.length - 1) || isConfigName(s))
  );
}

const SLASH = 0x2f;
const STAR = 0x2a;

/** Whether `pattern` covers `resource` (`tenant/app/env/name`, or a shorter path). */
export function matchesPattern(pattern: string, resource: string): boolean {
  return matchesFrom(pattern, 0, resource);
}

/** Scopes of client tokens are `read:<pattern>`; an unknown verb grants nothing. */
export function scopesAllowRead(scopes: readonly string[], resource: string): boolean {
  for (const scope of scopes) {
    if (scope.startsWith(READ) && matchesFrom(scope, READ.length, resource)) return true;
  }
  return false;
}

/** Segment by segment and in place: each request of the edge asks, and lists of segments would be half of its garbage. */
function matchesFrom(pattern: string, start: number, resource: string): boolean {
  let want = start;
  let have = 0;
  for (;;) {
    const wantEnd = segmentEnd(pattern, want);
    const haveEnd = segmentEnd(resource, have);
    const isWild = pattern.charCodeAt(want) === STAR;
    if (isWild && wantEnd - want === 2 && pattern.charCodeAt(want + 1) === STAR) return true;
    const isAny = isWild && wantEnd - want === 1;
    if (!isAny && !equalSegments(pattern, want, wantEnd, resource, have, haveEnd)) return false;
    const wantMore = wantEnd < pattern.length;
    const haveMore = haveEnd < resource.length;
    if (!wantMore || !haveMore) return wantMore === haveMore;
    want = wantEnd + 1;
    have = haveEnd + 1;
  }
}

function segmentEnd(text: string, start: number): number {
  let end = start;
  while (end < text.length && text.charCodeAt(end) !== SLASH) end += 1;
  return end;
}

function equalSegments(
  a: string,
  aStart: number,
  aEnd: number,
  b: string,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let i = 0; i < aEnd - aStart; i += 1) {
    if (a.charCodeAt(aStart + i) !== b.charCodeAt(bStart + i)) return false;
  }
  return true;
}
