import type { Logger } from 'pino';
import type { Clock } from '../../base/clock.ts';
import { answerError, type LinkHandler, type LinkRequest } from '../link/link-handler.ts';
import { acceptsFrames, type CaptureStream, openCaptureStream, ReaderGone } from './capture-stream.ts';
import { download } from './download.ts';
import { follow } from './follow/follow.ts';
import type { HeldFiles } from './held-files.ts';
import { keepAliveBlock } from './keep-alive-block.ts';
import { readerPlaces } from './reader-places.ts';
import {
  parseRecordingRequest,
  type RecordingRefusal,
  type RecordingRequest,
  refuseRecording,
} from './recording-request.ts';

export type RecordingsOptions = {
  readonly capturesFolder: string;
  readonly held: HeldFiles;
  /** How many readers are served at the same time. */
  readonly mostReaders: number;
  readonly clock: Clock;
  readonly log: Logger;
};

/** Answers GET /v1/recording: the bytes of a recording, to as many readers as are allowed. */
export function recordingsRoute(options: RecordingsOptions): LinkHandler {
  const { mostReaders } = options;
  const places = readerPlaces(mostReaders);

  return async (request) => {
    const parsed = parseRecordingRequest(request.query, Date.now());
    if (parsed.kind === 'refused') return refuse(request, parsed);
    const place = places.take(request.headers);
    if (place.kind === 'full') return refuse(request, tooManyReaders(place.mostPerReader, mostReaders));
    using _ = place;
    await answer(request, parsed.request, options);
  };
}

async function answer(
  link: LinkRequest,
  request: RecordingRequest,
  { capturesFolder, held, clock, log }: RecordingsOptions,
): Promise<void> {
  const { uid } = request;
  try {
    const onError = (err: unknown) =>
      log.warn({ uid, err }, 'failed to look at a recording that is followed');
    const options = {
      capturesFolder,
      held,
      clock,
      open: () => openFor(link, request),
      onError,
      signal: link.signal,
    };
    const end = await (request.follow ? follow(request, options) : download(request, options));
    if (end.kind === 'refused') refuse(link, end);
    else log.info({ uid, reason: end.reason, packets: end.packets }, 'recording sent');
  } catch (error) {
    if (!(error instanceof ReaderGone)) throw error;
    log.info({ uid, reason: error.why }, 'reader of a recording left');
  }
}

function openFor({ stream, signal, headers }: LinkRequest, { format }: RecordingRequest): CaptureStream {
  const isFrames = acceptsFrames(headers.accept);
  return openCaptureStream({
    stream,
    signal,
    isFrames,
    ...(format === 'pcapng' && { keepAlive: keepAliveBlock }),
  });
}

function refuse({ stream }: LinkRequest, { status, error }: RecordingRefusal): void {
  answerError(stream, status, error);
}

function tooManyReaders(mostPerReader: number | undefined, most: number): RecordingRefusal {
  const message =
    mostPerReader === undefined
      ? `${most} recordings are being read on this Node, which is the most that it allows: try again when one of them has ended`
      : `you read ${mostPerReader} recordings of this Node, which is the most that it allows one user: try again when one of them has ended`;
  return refuseRecording(429, 'TooManyReaders', message);
}
