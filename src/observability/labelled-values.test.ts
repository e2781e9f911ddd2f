import { expect, test } from 'vitest';
import { labelledHistograms, labelledNumbers } from './labelled-values.ts';
import { counter, histogram, prometheusText } from './prometheus-text.ts';

test('adds up by labels', () => {
  const values = labelledNumbers('podcap_test_total');
  values.add({ reason: 'a"b' });
  values.add({ reason: 'a"b' }, 2);
  values.add({ reason: 'c' });
  const text = prometheusText([counter('podcap_test_total', 'Tests.', ['reason'])], values.samples());
  expect(text).toBe(
    [
      '# HELP podcap_test_total Tests.',
      '# TYPE podcap_test_total counter',
      'podcap_test_total{reason="a\\"b"} 3',
      'podcap_test_total{reason="c"} 1',
      '',
    ].join('\n'),
  );
});

test('counts each value in every bucket that it fits into', () => {
  const values = labelledHistograms('podcap_test_seconds', [0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 3]) values.observe({ verb: 'get' }, value);
  const text = prometheusText([histogram('podcap_test_seconds', 'Tests.', ['verb'])], values.samples());
  expect(text.split('\n').slice(1)).toEqual([
    '# TYPE podcap_test_seconds histogram',
    'podcap_test_seconds_bucket{verb="get",le="0.1"} 2',
    'podcap_test_seconds_bucket{verb="get",le="1"} 3',
    'podcap_test_seconds_bucket{verb="get",le="+Inf"} 4',
    'podcap_test_seconds_sum{verb="get"} 3.65',
    'podcap_test_seconds_count{verb="get"} 4',
    '',
  ]);
});
