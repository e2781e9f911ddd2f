import { waitForLastDatagram } from './ring-contents.ts';
import { type SendingPod, sendingPod } from './sending-pod.ts';
import type { TestCluster } from './test-cluster.ts';

/**
 * 87 MB: more than fits into all buffers between an agent and a reader who reads nothing. Those of the two connections of
 * the API server can grow to 37 MB each, with the tcp_rmem and tcp_wmem of new kernels.
 */
export const largeDatagrams = 60_000;

/** Pod `large` on node1, with a recording of so many datagrams, numbered from 0; it sends nothing more. */
export async function largeRecording(cluster: TestCluster): Promise<SendingPod> {
  const traffic = { rate: 5_000, bytes: 1_400, count: largeDatagrams };
  const pod = await sendingPod(cluster, { name: 'large', node: 'node1', ...traffic });
  await waitForLastDatagram(pod.folder, largeDatagrams - 1);
  return pod;
}
