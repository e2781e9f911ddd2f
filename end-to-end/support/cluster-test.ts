import { test as base } from 'vitest';
import { hostReceiver } from './host-receiver.ts';
import { testCluster } from './test-cluster.ts';

/**
 * A test on the cluster. The tests of a file share `cluster`, a namespace of their own, and `receiver`, a listener for
 * their datagrams. Each is created when a test first asks for it, and removed after the last test.
 */
export const test = base
  .extend('cluster', { scope: 'file' }, async ({}, { onCleanup }) => {
    const cluster = await testCluster();
    onCleanup(() => cluster[Symbol.asyncDispose]());
    return cluster;
  })
  .extend('receiver', { scope: 'file' }, async ({}, { onCleanup }) => {
    const receiver = await hostReceiver();
    onCleanup(() => receiver[Symbol.asyncDispose]());
    return receiver;
  });
