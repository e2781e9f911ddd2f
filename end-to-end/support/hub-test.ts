import { captureRequests } from './capture-requests.ts';
import { test as clusterTest } from './cluster-test.ts';

/** A test of the hub on the cluster: `requests` sends what a cluster administrator may ask of captures. */
export const test = clusterTest.extend('requests', { scope: 'file' }, () => captureRequests());
