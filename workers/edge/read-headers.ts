import { LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX } from "../../contracts/limits.ts";
import { ClientLabels, type LabelLimits, type ParsedLabels } from "../../domain/delivery/client-labels.ts";

const LABEL_LIMITS: LabelLimits = {
  labelsMax: LABELS_MAX,
  nameBytesMax: LABEL_NAME_BYTES_MAX,
  valueBytesMax: LABEL_VALUE_BYTES_MAX,
};

const NO_LABELS = new ClientLabels(LABEL_LIMITS).parsed();

/** What a fetch reads of its request's headers; null for one that the request lacks. */
export interface ReadHeaders {
  authorization: string | null;
  traceparent: string | null;
  ifNoneMatch: string | null;
  /** `X-Conflux-Min-Index`, not verified. */
  minimumIndex: string | null;
  /** Set by the platform; where it is missing, all clients are one. */
  clientAddress: string;
  labels: ParsedLabels;
}

/**
 * Reads headers in one pass. A label may have any name, so all headers must be looked at anyway, and each question to
 * the runtime (`get`) costs as much as two or three headers of a pass; its iterators cost twice as much as `forEach`.
 */
export function readHeaders(headers: Headers): ReadHeaders {
  const labels = new ClientLabels(LABEL_LIMITS);
  const read: ReadHeaders = {
    authorization: null,
    traceparent: null,
    ifNoneMatch: null,
    minimumIndex: null,
    clientAddress: "",
    labels: NO_LABELS,
  };
  headers.forEach((value, name) => {
    if (labels.add(name, value)) return;
    if (name === "authorization") read.authorization = value;
    else if (name === "traceparent") read.traceparent = value;
    else if (name === "if-none-match") read.ifNoneMatch = value;
    else if (name === "x-conflux-min-index") read.minimumIndex = value;
    else if (name === "cf-connecting-ip") read.clientAddress = value;
  });
  read.labels = labels.parsed();
  return read;
}
