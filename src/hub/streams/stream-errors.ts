import { listedNodes } from '../agents/node-names.ts';
import { statusError } from '../api/status-error.ts';
import type { CaptureName } from '../captures/captures.ts';
import type { RecordingSelector } from '../captures/named-recording.ts';
import type { StreamBounds } from './stream-limits.ts';

/** The wording of what a stream is refused for; each says what to do. */
export const streamErrors = {
  tooMany: (bound: keyof StreamBounds, bounds: StreamBounds) =>
    statusError(
      'TooManyRequests',
      bound === 'perUser'
        ? `you have ${bounds.perUser} streams open at this hub, as many as a user may: end one, or try again later`
        : `this hub has ${bounds.perHub} streams open, as many as it may: try again later`,
      10,
    ),
  tooManySearches: () =>
    statusError(
      'TooManyRequests',
      'you have had all agents asked for Pods too often: name the Node of the Pod with ?node=, or try again',
      5,
    ),
  noNamespace: (namespace: string) => statusError('NotFound', `namespace ${namespace} does not exist`),
  noCapture: ({ namespace, name }: CaptureName) =>
    statusError(
      'NotFound',
      `nothing is recorded of Pod ${name} in namespace ${namespace}: kubectl get captures -n ${namespace} ` +
        'lists what is',
    ),
  noRecording: ({ namespace, name }: CaptureName, { uid, node }: RecordingSelector) =>
    statusError(
      'NotFound',
      `capture ${name} in namespace ${namespace} has no recording` +
        (uid === undefined ? '' : ` with uid ${uid}`) +
        (node === undefined ? '' : ` of Node ${node}`) +
        `: kubectl get capture ${name} -n ${namespace} -o yaml lists those that it has`,
    ),
  contestedRecording: ({ namespace, name }: CaptureName, nodes: readonly string[]) =>
    statusError(
      'Conflict',
      `agents of several Nodes say that they have the recording of Pod ${name} in namespace ${namespace}: ` +
        `${listedNodes(nodes)}; the Pod has just moved, or one of them is wrong, or lies: name the Node of the Pod ` +
        'with ?node=',
    ),
  noFiles: ({ namespace, name }: CaptureName, uid: string) =>
    statusError(
      'NotFound',
      `recording ${uid} of capture ${name} in namespace ${namespace} has no files any more`,
    ),
  recordingUnreachable: ({ name }: CaptureName, node: string) =>
    statusError(
      'ServiceUnavailable',
      `the agent of Node ${node}, which has the recording of ${name}, is not connected or does not answer: try again; ` +
        `if that lasts, look at the Podcap agent of that Node`,
      5,
    ),
  noPod: ({ namespace, name }: CaptureName, agents: number) =>
    statusError(
      'NotFound',
      `no agent has a running Pod ${name} in namespace ${namespace}; all ${agents} that are connected were asked`,
    ),
  noPodOn: ({ namespace, name }: CaptureName, node: string) =>
    statusError(
      'NotFound',
      `Node ${node} has no running Pod ${name} in namespace ${namespace}: without ?node=, all agents are asked`,
    ),
  /** Without a time to try again, for which kubectl would wait: the name can be wrong. */
  noAgentOf: (node: string) =>
    statusError(
      'ServiceUnavailable',
      `no agent of Node ${node} is connected to this hub: check the name; if it is right, look at the Podcap agent of ` +
        'that Node',
    ),
  contestedPod: ({ namespace, name }: CaptureName, nodes: readonly string[]) =>
    statusError(
      'Conflict',
      `agents of several Nodes say that Pod ${name} in namespace ${namespace} runs there: ${listedNodes(nodes)}; ` +
        'one of them is wrong, or lies: name the Node of the Pod with ?node=',
    ),
  podUnreachable: ({ namespace, name }: CaptureName, nodes: readonly string[]) =>
    statusError(
      'ServiceUnavailable',
      `no agent that answered has a running Pod ${name} in namespace ${namespace}, and agents of these Nodes did not ` +
        `answer: ${listedNodes(nodes)}; try again`,
      5,
    ),
  noAgents: () =>
    statusError(
      'ServiceUnavailable',
      'no agent is connected to this hub: try again; if that lasts, look at the DaemonSet of Podcap',
      5,
    ),
  stopping: () => statusError('ServiceUnavailable', 'this replica of the hub is shutting down: try again', 1),
  badAnswer: (node: string) =>
    statusError('InternalError', `the agent of Node ${node} gave an answer that the hub does not know`),
} as const;
