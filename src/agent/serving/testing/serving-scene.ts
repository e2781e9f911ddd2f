import { pino } from 'pino';
import { framesMediaType } from '../../../api/stream-frames.ts';
import { readScene, web } from '../../../commands/testing/read-scene.ts';
import { heldFiles } from '../held-files.ts';
import { recordingsRoute } from '../recordings-route.ts';
import { linkScene, readFrames } from './link-scene.ts';

const pathOf = (query: string) => `/v1/recording?uid=${web.uid}&${query}`;

export type ServingSceneOptions = {
  readonly mostReaders?: number;
  readonly mostHeldBytes?: number;
};

/** A captures folder, the route that serves its recordings, and a client of it. */
export async function servingScene({ mostReaders = 8, mostHeldBytes = 1e9 }: ServingSceneOptions = {}) {
  await using opening = new AsyncDisposableStack();
  const captures = opening.use(await readScene());
  const held = heldFiles({ mostBytes: mostHeldBytes });
  const log = pino({ level: 'silent' });
  // That of the records in readScene.
  const clock = { nowMs: () => 0, bootId: 'boot' };
  const route = recordingsRoute({ capturesFolder: captures.path, held, mostReaders, clock, log });
  const link = opening.use(await linkScene(route));
  const opened = opening.move();
  return {
    captures,
    held,
    link,
    pathOf,
    /** The answer as the capture file is. */
    get: (query = '') => link.get(pathOf(query)),
    /** The answer in frames. */
    async frames(query = '') {
      const answer = await link.get(pathOf(query), { accept: framesMediaType });
      return { ...answer, ...readFrames(answer.body) };
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
