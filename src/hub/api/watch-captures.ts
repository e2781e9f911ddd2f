import { selectsLabels } from '../../kubernetes/label-selector.ts';
import type { CaptureChange, CaptureScope, ObjectChange, WatchStart } from '../captures/captures.ts';
import { WatchOverrun } from '../captures/pending-changes.ts';
import type { ApiCall, ApiSources } from './api-call.ts';
import { commonHeaders } from './api-response.ts';
import { type EventLines, eventLine } from './event-lines.ts';
import { selectsFields } from './field-selector.ts';
import { type LineWriter, lineWriter, ReaderStalled } from './line-writer.ts';
import type { ListQuery } from './list-query.ts';
import { attributesOf, formOf, scopeOf } from './read-captures.ts';
import { bookmark, type CaptureForm } from './rendered-captures.ts';
import { contentTypeOf } from './representation.ts';
import { type ClientBefore, clientBefore } from './resumed-watch.ts';
import { isStatusError, type StatusError } from './status-error.ts';
import { type WatchSelection, watchSelection } from './watch-selection.ts';

export type WatchRequest = {
  readonly namespace: string | undefined;
  readonly list: ListQuery;
};

/** A client that reads nothing for this long is gone, or gone wrong. */
const stalledMs = 30_000;
/**
 * Who reads a Table sees what is sent again as a second line, and what was deleted as a line like any other. What another
 * replica did not know for longer than this, its list has warned of: by then it takes the agent for lost.
 */
const resentToPeopleMs = 20_000;
/** As kube-apiserver: between half an hour and an hour, so that not all watches of a replica end together. */
const defaultSeconds = { least: 1_800, spread: 1_800 } as const;
const mostSeconds = 3_600;

/**
 * Answers a watch until its time is over, the client is gone or the hub ends, or returns the error to answer with. It
 * ends cleanly: the client goes on from the last resourceVersion that it knows.
 */
export async function watchCaptures(
  sources: ApiSources,
  call: ApiCall,
  watch: WatchRequest,
  lines: EventLines,
): Promise<StatusError | undefined> {
  const { response } = call;
  const scope = scopeOf(watch.namespace, watch.list);
  const forbidden = await sources.access.authorize(call.caller, attributesOf('watch', scope), call.signal);
  if (forbidden) return forbidden;
  const form = formOf(call, 'watch');
  if (isStatusError(form)) return form;
  const since = startOf(watch.list, form);
  const before = await clientBefore(sources, call, { scope, since, form, list: watch.list });
  if (isStatusError(before)) return before;
  response.writeHead(200, { ...commonHeaders, 'content-type': contentTypeOf('watch') });
  response.flushHeaders();
  const overAt = AbortSignal.timeout(durationMs(watch.list));
  const signal = AbortSignal.any([call.signal, overAt]);
  const writer = lineWriter(response, { signal, stalledMs });
  try {
    await send(sources, { scope, list: watch.list, form, before, lines, signal, writer });
  } catch (error) {
    // Cut, not ended: it has not been sent what it should have.
    if (error instanceof ReaderStalled || error instanceof WatchOverrun) call.cut();
    else if (!signal.aborted) throw error;
  }
  writer.flush();
  if (!response.destroyed) response.end();
  return undefined;
}

type Sending = {
  readonly scope: CaptureScope;
  readonly list: ListQuery;
  readonly form: CaptureForm;
  readonly before: ClientBefore;
  readonly lines: EventLines;
  readonly signal: AbortSignal;
  readonly writer: LineWriter;
};

async function send({ captures, namespaces }: ApiSources, sending: Sending): Promise<void> {
  const { scope, list, form, lines, signal, writer } = sending;
  const select = selectionOf(sending);
  let hasColumns = true;
  for await (const part of captures.watch(scope, startOf(list, form), signal)) {
    const changes = part.filter(
      (change): change is ObjectChange =>
        change.kind !== 'bookmark' && selectsFields(list.fields, change.capture.metadata),
    );
    const all = changes.map(({ capture }) => capture);
    const { captures: served } = await namespaces.visible(all, signal);
    const visible = new Map(served.map((capture) => [capture.metadata.uid, capture]));
    const events = changes.flatMap(
      (change) => select(change, visible.get(change.capture.metadata.uid)) ?? [],
    );
    if (events.length > 0) {
      await writer.write(lines.of(events, form, hasColumns));
      hasColumns = false;
    }
    for (const change of part) {
      const line = change.kind === 'bookmark' && bookmarkLine(change, { list, form, hasColumns });
      if (!line) continue;
      hasColumns = false;
      await writer.write(line);
    }
  }
}

/** Undefined for one that the client did not ask for: it would be an event of an unknown type. */
function bookmarkLine(
  { resourceVersion, isInitial }: Extract<CaptureChange, { readonly kind: 'bookmark' }>,
  { list, form, hasColumns }: Pick<Sending, 'list' | 'form'> & { readonly hasColumns: boolean },
): Buffer | undefined {
  const isInitialEnd = isInitial && list.sendsInitialEvents === true;
  if (!list.allowsBookmarks || (isInitial && !isInitialEnd)) return undefined;
  return eventLine('BOOKMARK', bookmark(resourceVersion, form, { isInitialEnd, hasColumns }));
}

function selectionOf({ scope, list, form, before }: Sending): WatchSelection {
  return watchSelection({
    isSelected: ({ metadata }) => selectsLabels(list.labels, metadata.labels),
    // What each watch of all namespaces has sent would be too much to remember.
    mayLeave: list.labels.length > 0 || scope.namespace !== undefined,
    isResumed: startOf(list, form).kind === 'version',
    // A person with a Table would read a line about a capture that was never asked for.
    mayHave: before.mayHave,
    forgetsUnknown: form.representation.kind !== 'table',
  });
}

/** Where the watch begins: with all that is there, unless the client has a list to go on from. */
function startOf({ resourceVersion = 0n, sendsInitialEvents }: ListQuery, form: CaptureForm): WatchStart {
  if (sendsInitialEvents === true) return { kind: 'now' };
  const resent = form.representation.kind === 'table' && { resentMs: resentToPeopleMs };
  if (resourceVersion > 0n) return { kind: 'version', resourceVersion, ...resent };
  if (sendsInitialEvents === undefined) return { kind: 'now' };
  return { kind: 'version', resourceVersion: undefined, ...resent };
}

function durationMs({ timeoutSeconds }: ListQuery): number {
  const { least, spread } = defaultSeconds;
  return Math.round(1_000 * Math.min(mostSeconds, timeoutSeconds ?? least + Math.random() * spread));
}
