/** What the log is told of the backup that it restores. */
export interface BackupOrigin {
  backup_id: string;
  cluster_id: string;
  epoch: number;
  /** Index of the log that the backup's state reflects. */
  index: number;
  /** Leader's time at that index. */
  timestamp_ms: number;
  /** SHA-256 of the backup's rows in their order, encoded by `encodeStateRow`. */
  state_hash: string;
}

/** A restore on its way through the log: kept in the state, so that every node knows how far it has come. */
export interface PendingRestore {
  restore_id: string;
  origin: BackupOrigin;
  /** The new epoch is above this one. */
  epoch_min: number;
  /** SHA-256 of each chunk, in order. */
  chunks: string[];
  /** Chunks that are staged. */
  staged: number;
}

/** From which index on the log counts as of which epoch. */
export interface EpochStart {
  epoch: number;
  first_index: number;
  /**
   * The restore with which it began. Absent: none, or one that a build before it proposed; and of the newest epoch, whose
   * restore is `RestoredState.restore_id`.
   */
  restore_id?: string;
}

/** The last restore: kept in the state for good. */
export interface RestoredState {
  restore_id: string;
  origin: BackupOrigin;
  /** Index of the command that put the backup in the place of the state. */
  index: number;
  epoch: number;
  /** Tokens issued before are refused, whoever they are for. */
  tokens_not_before_ms: number;
  /** Ascending; the newest EPOCHS_MAX. Before the first one stood the epoch that it says it followed. */
  epochs: EpochStart[];
}
