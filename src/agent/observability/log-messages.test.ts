import { pino } from 'pino';
import { expect, test } from 'vitest';
import { specOf } from '../testing/fixtures.ts';
import { reportByLog } from './log-messages.ts';

const pod = { namespace: 'default', name: 'web', uid: 'uid-1' };
const named = { namespace: 'default', pod: 'web', uid: 'uid-1' };

test('a status is one log line: a constant message, with the Pod and the details as fields', () => {
  const lines: unknown[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line) => void lines.push(JSON.parse(line)) });
  const report = reportByLog(log);
  report(pod, { kind: 'waiting' });
  report(pod, { kind: 'failed', message: 'ended by SIGKILL' });
  report(pod, { kind: 'warning', generation: 1, message: 'no address' });
  report(pod, { kind: 'deleted', why: 'RetentionOver' });
  const missedBefore = { kind: 'gap', packets: 7, isSettled: true } as const;
  const settled = { generation: 2, spec: specOf(1), missedBefore };
  report(pod, { kind: 'capturing', ...settled });
  expect(lines).toEqual([
    { level: log.levels.values['info'], ...named, msg: 'waiting for the Pod network' },
    { level: log.levels.values['warn'], ...named, message: 'ended by SIGKILL', msg: 'capture failed' },
    {
      level: log.levels.values['warn'],
      ...named,
      generation: 1,
      message: 'no address',
      msg: 'tcpdump printed a warning',
    },
    { level: log.levels.values['info'], ...named, why: 'RetentionOver', msg: 'captures deleted' },
    {
      level: log.levels.values['info'],
      ...named,
      generation: 2,
      spec: specOf(1),
      missedBefore,
      msg: 'gap before the capture is known',
    },
  ]);
});
