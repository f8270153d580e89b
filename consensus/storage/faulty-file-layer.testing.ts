import { type FileLayer, type LogFile, nodeFileLayer } from "./file-layer.ts";

/** Switches of the faulty layer; change them between calls. */
export interface Faults {
  /** The next so many syncs succeed, then one fails. Infinity: none. */
  syncsBeforeFailure: number;
  writesBeforeFailure: number;
  /** Every write takes at most so many bytes. */
  writeBytesMax: number;
  /** Syncs succeed without being done: for tests that open hundreds of damaged files and never cut the power. */
  skipSyncs: boolean;
  /** Files can write and sync at once, so that the log does so when the disk is fast. */
  canWriteSynced: boolean;
}

/** The real file system with failures injected: short writes, failed writes, failed syncs. Counts what was asked. */
export function faultyFileLayer(faults: Partial<Faults> = {}): FileLayer & {
  faults: Faults;
  counts: { syncs: number; writes: number };
} {
  const active: Faults = {
    syncsBeforeFailure: Infinity,
    writesBeforeFailure: Infinity,
    writeBytesMax: Infinity,
    skipSyncs: false,
    canWriteSynced: false,
    ...faults,
  };
  const counts = { syncs: 0, writes: 0 };
  const writevSynced =
    (file: LogFile): NonNullable<LogFile["writevSynced"]> =>
    (pieces, position) => {
      counts.writes += 1;
      if (active.writesBeforeFailure <= 0) throw new Error("ENOSPC: injected");
      active.writesBeforeFailure -= 1;
      counts.syncs += 1;
      if (active.syncsBeforeFailure <= 0) throw new Error("EIO: injected");
      active.syncsBeforeFailure -= 1;
      file.writevSynced?.(pieces, position);
    };
  const wrap = (file: LogFile): LogFile => ({
    ...withoutWritevSynced(file),
    ...(active.canWriteSynced ? { writevSynced: writevSynced(file) } : {}),
    writev: (pieces, position) => {
      counts.writes += 1;
      if (active.writesBeforeFailure <= 0) return Promise.reject(new Error("ENOSPC: injected"));
      active.writesBeforeFailure -= 1;
      let left = active.writeBytesMax;
      const short = pieces.flatMap((piece) => {
        const part = piece.subarray(0, Math.min(left, piece.byteLength));
        left -= part.byteLength;
        return part.byteLength === 0 ? [] : [part];
      });
      return file.writev(short, position);
    },
    datasync: () => {
      counts.syncs += 1;
      if (active.syncsBeforeFailure <= 0) return Promise.reject(new Error("EIO: injected"));
      active.syncsBeforeFailure -= 1;
      return active.skipSyncs ? Promise.resolve() : file.datasync();
    },
  });
  return {
    ...nodeFileLayer,
    syncDirectory: (directory) =>
      active.skipSyncs ? Promise.resolve() : nodeFileLayer.syncDirectory(directory),
    open: async (path, mode) => wrap(await nodeFileLayer.open(path, mode)),
    faults: active,
    counts,
  };
}

/** The file as one that hands every write and sync over: whether the log waits on the spot depends on the disk's speed. */
export function withoutWritevSynced(file: LogFile): LogFile {
  return {
    writev: (pieces, position) => file.writev(pieces, position),
    datasync: () => file.datasync(),
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    close: () => file.close(),
  };
}
