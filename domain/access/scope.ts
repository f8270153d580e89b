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

/** In place: each request of the edge asks, and lists of segments would be half of its garbage. */
function matchesFrom(pattern: string, start: number, resource: string): boolean {
  const star = pattern.indexOf("*", start);
  if (star === -1) return pattern.length - start === resource.length && pattern.endsWith(resource);
  // What is before the first wildcard is compared as a whole.
  const isSegment = star === start || pattern.charCodeAt(star - 1) === SLASH;
  if (!isSegment) return matchesSegments(pattern, start, resource, 0);
  const literal = star - start;
  if (!pattern.startsWith(resource.slice(0, literal), start) || resource.length < literal) return false;
  return matchesSegments(pattern, star, resource, literal);
}

/** Goes on where a segment begins in both. */
function matchesSegments(pattern: string, start: number, resource: string, resourceStart: number): boolean {
  let want = start;
  let have = resourceStart;
  for (;;) {
    const stars = wildcardAt(pattern, want);
    if (stars === 2) return true;
    if (stars === 1) {
      want += 1;
      have = segmentEnd(resource, have);
    } else {
      while (!isSegmentEnd(pattern, want) && pattern.charCodeAt(want) === resource.charCodeAt(have)) {
        want += 1;
        have += 1;
      }
    }
    const wantMore = want < pattern.length;
    const haveMore = have < resource.length;
    if (!wantMore || !haveMore) return wantMore === haveMore;
    if (pattern.charCodeAt(want) !== SLASH || resource.charCodeAt(have) !== SLASH) return false;
    want += 1;
    have += 1;
  }
}

/** 1 and 2 for the segments `*` and `**` of a pattern, 0 for any other that begins there. */
function wildcardAt(pattern: string, start: number): 0 | 1 | 2 {
  if (pattern.charCodeAt(start) !== STAR) return 0;
  if (isSegmentEnd(pattern, start + 1)) return 1;
  return pattern.charCodeAt(start + 1) === STAR && isSegmentEnd(pattern, start + 2) ? 2 : 0;
}

const isSegmentEnd = (text: string, at: number): boolean =>
  at >= text.length || text.charCodeAt(at) === SLASH;

function segmentEnd(text: string, start: number): number {
  let end = start;
  while (!isSegmentEnd(text, end)) end += 1;
  return end;
}
