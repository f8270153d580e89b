/**
 * Which of `groups` replicas of its region an edge location asks: the same for all isolates of a location, whatever the
 * names of locations are (FNV-1a). `location` is Cloudflare's name of it ("FRA"); without one it is the first.
 */
export function locationGroup(location: string | undefined, groups: number): number {
  if (location === undefined) return 0;
  let hash = 0x811c9dc5;
  for (let i = 0; i < location.length; i += 1) {
    hash = Math.imul(hash ^ location.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0) % groups;
}
