/**
 * The chain of a tenant's audit: every row names the hash of the row before it. This is the encoding that is hashed, as
 * migrations/0010_audit_chain.sql has it, so that whoever has the rows can compute the hashes without that database.
 */
export interface ChainedRow {
  tenant: string;
  /** 1, 2, 3, ... in a tenant, without gaps. */
  seq: number;
  /** Hex; `CHAIN_START` in the first row. */
  prevHash: string;
  /** Hex. */
  hash: string;
  id: number;
  actorType: string;
  actorId: string;
  actorName: string;
  ip: string;
  action: string;
  resource: string;
  outcome: string;
  traceId: string;
  summary: string;
  clusterId: string | null;
  epoch: number | null;
  logIndex: number | null;
  /** Microseconds since 1970, decimal. */
  createdAtMicros: string;
}

/** What the first row of a chain names as the hash before it. */
export const CHAIN_START = "0".repeat(64);
const ENCODING = "conflux-audit-1";
const NULL_LENGTH = 0xff_ff_ff_ff;

const fieldsOf = (row: ChainedRow): (string | number | null)[] => [
  ENCODING,
  row.tenant,
  row.seq,
  row.prevHash,
  row.id,
  row.actorType,
  row.actorId,
  row.actorName,
  row.ip,
  row.action,
  row.resource,
  row.outcome,
  row.traceId,
  row.summary,
  row.clusterId,
  row.epoch,
  row.logIndex,
  row.createdAtMicros,
];

/**
 * What is hashed (SHA-256) into `row.hash`: each field as four bytes of length, big endian, and its UTF-8 text; NULL as the
 * length -1. No two different rows have the same encoding.
 */
export function encodeChainedRow(
  row: ChainedRow,
  utf8: (text: string) => Uint8Array,
): Uint8Array<ArrayBuffer> {
  const fields = fieldsOf(row).map((field) => (field === null ? null : utf8(String(field))));
  const bytes = new Uint8Array(fields.reduce((sum, field) => sum + 4 + (field?.byteLength ?? 0), 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const field of fields) {
    view.setUint32(offset, field?.byteLength ?? NULL_LENGTH);
    offset += 4;
    if (field === null) continue;
    bytes.set(field, offset);
    offset += field.byteLength;
  }
  return bytes;
}
