/** In a config's record: which bundle owns it and what was last applied, by hash; null: not the bundle's business. */
export interface BundleMark {
  id: string;
  content: string | null;
  settings: string;
  releases: string | null;
}
