import { expect, test } from 'vitest';
import { type HubCondition, hubUnreadyReasons, trackHubReadiness } from './hub-readiness.ts';

const serving: HubCondition = {
  nowMs: 10_000,
  servingSinceMs: 0,
  connectedAgents: 1,
  expectedAgents: 2,
  isStopping: false,
  wasReady: false,
};

test.each<{ what: string; condition: Partial<HubCondition>; reasons: string[] }>([
  { what: 'no API', condition: { servingSinceMs: undefined }, reasons: ['the API is not served yet'] },
  { what: 'agents missing', condition: {}, reasons: ['agents connected: 1 of 2'] },
  {
    what: 'an unknown number of agents',
    condition: { expectedAgents: undefined },
    reasons: ['agents connected: 1 of an unknown number'],
  },
  { what: 'all agents', condition: { connectedAgents: 2 }, reasons: [] },
  { what: 'more agents, of a rolling update', condition: { connectedAgents: 3 }, reasons: [] },
  { what: 'no agents expected', condition: { connectedAgents: 0, expectedAgents: 0 }, reasons: [] },
  { what: 'agents missing for a minute', condition: { nowMs: 60_000 }, reasons: [] },
  {
    what: 'agents unknown for a minute',
    condition: { nowMs: 60_000, expectedAgents: undefined },
    reasons: [],
  },
  { what: 'agents lost later', condition: { wasReady: true, connectedAgents: 0 }, reasons: [] },
  { what: 'stopping', condition: { wasReady: true, isStopping: true }, reasons: ['stopping'] },
])('with $what, a replica is ready unless $reasons', ({ condition, reasons }) => {
  expect(hubUnreadyReasons({ ...serving, ...condition })).toEqual(reasons);
});

test('a replica that was ready stays so when agents are lost', () => {
  let connectedAgents = 2;
  const reasons = trackHubReadiness(() => ({ ...serving, connectedAgents }));
  expect(reasons()).toEqual([]);
  connectedAgents = 0;
  expect(reasons()).toEqual([]);
});
