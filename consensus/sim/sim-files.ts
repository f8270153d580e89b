/**
 * How a process uses its simulated disk: the file layer of the log, the snapshot files and the lock. A call that is under way
 * when the process ends never settles; what it did by then is any part of it.
 */
import { dirname } from "node:path";
import type { RaftLogHost } from "../raft-log-options.ts";
import { DirectoryLockedError } from "../storage/directory-lock.ts";
import type { FileLayer, LogFile } from "../storage/file-layer.ts";
import type { SnapshotFiles } from "../storage/snapshot-files.ts";
import type { Prng } from "./prng.ts";
import { type SimDisk, SimDiskError } from "./sim-disk.ts";
import type { Inode } from "./sim-inode.ts";
import type { SimProcess } from "./sim-process.ts";

interface Machine {
  disk: SimDisk;
  process: SimProcess;
  prng: Prng;
}

/** The host of a node's log on this machine. */
export function simHost(machine: Machine): RaftLogHost {
  return {
    nextTurn: (act) => machine.process.nextTurn(act),
    lockDirectory: (directory) => lock(machine, directory),
    files: simFileLayer(machine),
    snapshotFiles: simSnapshotFiles(machine),
    newLogId: () => Uint8Array.from({ length: 8 }, () => machine.prng.below(256)),
  };
}

function lock({ disk, process }: Machine, directory: string): { release(): void } {
  process.crashPoint();
  const holder = disk.lockedBy;
  if (holder !== null && holder.isAlive) throw new DirectoryLockedError(directory, holder.pid);
  disk.lockedBy = process;
  return {
    release: () => {
      if (disk.lockedBy === process) disk.lockedBy = null;
    },
  };
}

/** Does `act` some time from now, and answers what it does. */
function later<T>({ process, prng }: Machine, delayMs: number, act: () => T, leave?: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    process.after(delayMs * (0.1 + 0.9 * prng.next()), () => {
      try {
        process.crashPoint(leave);
        resolve(act());
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
}

function simFileLayer(machine: Machine): FileLayer {
  const { disk } = machine;
  const soon = <T>(act: () => T): Promise<T> => later(machine, disk.writeMs, act);
  return {
    ensureDirectory: () => soon(() => undefined),
    list: (directory) => soon(() => disk.list(directory)),
    read: (path) => soon(() => disk.get(path).read()),
    open: (path, mode) =>
      soon(() => logFile(machine, mode === "create" ? disk.create(path) : disk.get(path))),
    rename: (from, to) => soon(() => disk.rename(from, to)),
    unlink: (path) => soon(() => disk.unlink(path)),
    syncDirectory: (directory) => later(machine, disk.syncMs, () => disk.syncDirectory(directory)),
  };
}

function logFile(machine: Machine, inode: Inode): LogFile {
  const { disk, process, prng } = machine;
  const part = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, prng.below(bytes.byteLength));
  const writeNow = (pieces: readonly Uint8Array[], position: number): number => {
    const all = Buffer.concat(pieces);
    const grows = position + all.byteLength > inode.size();
    // A write may take less than it was given; a disk that fills up takes a part before it refuses the rest.
    const isCut = prng.chance(grows && disk.isFull ? 0.5 : 0.02);
    const bytes = isCut ? part(all) : all;
    if (bytes.byteLength === 0 || !isCut) disk.allocate(position + all.byteLength - inode.size());
    inode.write(position, bytes.byteLength === 0 ? all : bytes);
    return bytes.byteLength === 0 ? all.byteLength : bytes.byteLength;
  };
  const writePart = (pieces: readonly Uint8Array[], position: number): void =>
    inode.write(position, part(Buffer.concat(pieces)));
  const endSync = (): void => {
    if (disk.failingSyncs === 0) return inode.endSync();
    disk.failingSyncs -= 1;
    inode.failSync(prng);
    throw new SimDiskError("EIO", "sync failed");
  };
  /** The process may end before it, in the middle of the write, or in the sync, when any part may have reached the device. */
  const writevSynced = (pieces: readonly Uint8Array[], position: number): void => {
    let rest = Buffer.concat(pieces);
    for (let at = position; rest.byteLength > 0;) {
      process.crashPoint(() => writePart([rest], at));
      const written = writeNow([rest], at);
      rest = rest.subarray(written);
      at += written;
    }
    inode.beginSync();
    process.crashPoint();
    endSync();
  };
  return {
    writev: (pieces, position) =>
      later(
        machine,
        disk.writeMs,
        () => writeNow(pieces, position),
        () => writePart(pieces, position),
      ),
    datasync: () => {
      inode.beginSync();
      return later(machine, disk.syncMs, endSync);
    },
    // In virtual time it takes none: half of the files can, so that the log also meets disks that are never fast enough.
    ...(prng.chance(0.5) ? { writevSynced } : {}),
    truncate: (sizeBytes) => later(machine, disk.writeMs, () => inode.truncate(sizeBytes)),
    close: () => later(machine, disk.writeMs, () => undefined),
  };
}

function simSnapshotFiles({ disk, process }: Machine): SnapshotFiles {
  return {
    ensureDirectory: () => process.crashPoint(),
    exists: (path) => disk.has(path),
    remove: (path) => {
      process.crashPoint();
      if (disk.has(path)) disk.unlink(path);
    },
    replace: (from, to) => {
      process.crashPoint();
      disk.rename(from, to);
      process.crashPoint();
      disk.syncDirectory(dirname(to));
    },
  };
}
