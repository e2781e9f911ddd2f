import { apiVersion, type Capture } from '../../api/capture.ts';
import {
  bookmarkObject,
  emptyRow,
  type IncludeObject,
  metadataObject,
  tableHead,
  tableRow,
} from './capture-table.ts';
import type { Representation } from './representation.ts';

/** How one request wants captures written. */
export type CaptureForm = { readonly representation: Representation; readonly include: IncludeObject };

export type CaptureListing = { readonly items: readonly Capture[]; readonly resourceVersion: string };

/** One capture, as a GET answers. `nowMs` is Unix time, for ages. */
export function captureText(capture: Capture, form: CaptureForm, nowMs: number): string {
  return JSON.stringify(captureObject(capture, form, { nowMs, hasColumns: true }));
}

/** A list in pieces, which are its JSON one after the other. */
export function* listPieces(
  { items, resourceVersion }: CaptureListing,
  form: CaptureForm,
  nowMs: number,
): Generator<string, void, undefined> {
  const { representation } = form;
  const head =
    representation.kind === 'table'
      ? tableHead(representation.version, resourceVersion, true)
      : { ...listKind(representation), metadata: { resourceVersion } };
  yield `${JSON.stringify(head).slice(0, -1)},"${representation.kind === 'table' ? 'rows' : 'items'}":[`;
  let separator = '';
  for (const capture of items) {
    yield `${separator}${JSON.stringify(listItem(capture, form, nowMs))}`;
    separator = ',';
  }
  yield ']}\n';
}

/** The object of a watch event. Only the first event of a watch has the columns of a Table. */
export function captureObject(
  capture: Capture,
  { representation, include }: CaptureForm,
  { nowMs, hasColumns }: { readonly nowMs: number; readonly hasColumns: boolean },
): object {
  switch (representation.kind) {
    case 'object':
      return capture;
    case 'metadata':
      return metadataObject(capture.metadata, representation.version);
    case 'table': {
      const { version } = representation;
      const head = tableHead(version, capture.metadata.resourceVersion, hasColumns);
      return { ...head, rows: [tableRow(capture, include, version, nowMs)] };
    }
  }
}

/** The object of a bookmark. `isInitialEnd`: all that was there when the watch began has been sent. */
export function bookmark(
  resourceVersion: string,
  { representation }: CaptureForm,
  { isInitialEnd, hasColumns }: { readonly isInitialEnd: boolean; readonly hasColumns: boolean },
): object {
  const metadata = {
    resourceVersion,
    creationTimestamp: null,
    ...(isInitialEnd && { annotations: { 'k8s.io/initial-events-end': 'true' } }),
  };
  switch (representation.kind) {
    case 'object':
      return bookmarkObject(metadata);
    case 'metadata':
      return metadataObject(metadata, representation.version);
    case 'table': {
      const { version } = representation;
      const row = emptyRow(metadataObject(metadata, version));
      return { ...tableHead(version, resourceVersion, hasColumns), rows: [row] };
    }
  }
}

function listKind(representation: Exclude<Representation, { readonly kind: 'table' }>): object {
  return representation.kind === 'object'
    ? { kind: 'CaptureList', apiVersion }
    : { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${representation.version}` };
}

function listItem(capture: Capture, form: CaptureForm, nowMs: number): object {
  const { representation, include } = form;
  return representation.kind === 'table'
    ? tableRow(capture, include, representation.version, nowMs)
    : captureObject(capture, form, { nowMs, hasColumns: false });
}
