import { expect, test } from 'vitest';
import { podLists } from './api-server-load.ts';
import { connectionsOf } from './watchers.ts';

test('finds how many bytes each connection of one process has received', () => {
  const table = [
    'ESTAB 0 0 10.0.0.1:4000 10.0.0.2:6443 users:(("node",pid=77,fd=20)) cubic bytes_sent:900 bytes_received:1000 segs_in:4',
    'ESTAB 0 0 10.0.0.1:4001 10.0.0.2:6443 users:(("node",pid=77,fd=21)) cubic bytes_received:20 segs_in:4',
    'ESTAB 0 0 10.0.0.1:4002 10.0.0.2:6443 users:(("node",pid=777,fd=21)) cubic bytes_received:4000 segs_in:4',
  ].join('\n');
  expect([...connectionsOf(table, 77)]).toEqual([
    ['10.0.0.1:4000', 1_000],
    ['10.0.0.1:4001', 20],
  ]);
});

test('counts only requests that list Pods from etcd', () => {
  const metrics = [
    'etcd_requests_total{group="",operation="list",resource="pods"} 3',
    'etcd_requests_total{group="",operation="listWithCount",resource="pods"} 2',
    'etcd_requests_total{group="",operation="update",resource="pods"} 100',
    'etcd_requests_total{group="",operation="get",resource="pods"} 100',
    'etcd_requests_total{group="",operation="list",resource="nodes"} 100',
  ].join('\n');
  expect(podLists(metrics)).toBe(5);
});
