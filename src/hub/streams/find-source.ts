import { createHash } from 'node:crypto';
import { captureFileMediaType } from '../../api/stream-frames.ts';
import { linkPaths, linkReaderHeader } from '../../link/protocol.ts';
import { namespaceUnchecked } from '../access/access-errors.ts';
import type { Namespaces } from '../access/namespaces.ts';
import { servedCapture } from '../access/served-capture.ts';
import type { AgentLink, AgentResponse, ConnectedAgents } from '../agents/agent-link.ts';
import type { StatusError } from '../api/status-error.ts';
import type { CaptureName, Captures } from '../captures/captures.ts';
import { namedRecording } from '../captures/named-recording.ts';
import { askInTurn, askTogether, type StreamAnswer, type StreamCall } from './agent-answers.ts';
import { streamErrors } from './stream-errors.ts';

/** Where the bytes of a stream come from. */
export type StreamSource = {
  readonly kind: 'source';
  readonly node: string;
  /** The uid of the recorded Pod; undefined for a tap. */
  readonly recording: string | undefined;
  readonly response: AgentResponse;
};

export type SourceOrigins = {
  readonly captures: Captures;
  readonly agents: ConnectedAgents;
  readonly namespaces: Pick<Namespaces, 'ageOf'>;
};

/** What is wanted, by a caller who may have it. */
export type WantedStream = {
  readonly capture: CaptureName;
  readonly parameters: Readonly<Record<string, string>>;
  /** As the client sent it. */
  readonly accept: string;
  /** Who reads, by which an agent shares its places. */
  readonly user: string;
  /** Whether the caller may have several agents asked at once, once more. */
  readonly mayAskAll: () => boolean;
  readonly signal: AbortSignal;
};

/**
 * Opens the stream of a recording at the agent that holds its files: that of the uid and the Node, by default the newest.
 * What agents of several Nodes contest is not opened until the client names the Node.
 */
export async function findRecording(
  { captures, namespaces }: SourceOrigins,
  wanted: WantedStream,
): Promise<StreamSource | StatusError> {
  const { capture: name, parameters, signal } = wanted;
  const [age, capture] = await Promise.all([
    namespaces.ageOf(name.namespace, signal),
    captures.get(name, { signal }),
  ]);
  if (age.kind === 'unknown') return namespaceUnchecked(name.namespace);
  if (age.kind === 'missing') return streamErrors.noNamespace(name.namespace);
  const { node: onNode, ...others } = parameters;
  const selector = { uid: parameters['uid'], node: onNode };
  const served = capture && servedCapture(capture, age);
  if (!served) return streamErrors.noCapture(name);
  const named = namedRecording(served.status.recordings, selector);
  if (named.kind === 'absent') return streamErrors.noRecording(name, selector);
  if (named.kind === 'contested') return streamErrors.contestedRecording(name, named.nodes);
  const { uid, node } = named.recording;
  const agents = captures.agentsOf(name, { uid, node });
  const call = { ...callOf(linkPaths.recording, wanted), query: { ...others, uid } };
  const answer = await askInTurn(agents, call);
  if (answer.kind === 'source') return sourceOf(answer, uid);
  if (answer.kind === 'refused') return answer.error;
  const isKnown = agents.length > 0 && answer.unreachable.length === 0;
  return isKnown ? streamErrors.noFiles(name, uid) : streamErrors.recordingUnreachable(name, node);
}

/**
 * Opens a tap at the agent that finds the Pod among those of its Node. Of the Node that the client names, no other is
 * asked; without a name, the agents of all Nodes are asked at once. Where it is recorded says nothing: any agent could have
 * reported that.
 */
export async function findTap(
  { agents, namespaces }: SourceOrigins,
  wanted: WantedStream,
): Promise<StreamSource | StatusError> {
  const { capture: name, parameters, signal } = wanted;
  const age = await namespaces.ageOf(name.namespace, signal);
  if (age.kind === 'unknown') return namespaceUnchecked(name.namespace);
  if (age.kind === 'missing') return streamErrors.noNamespace(name.namespace);
  const { node, ...others } = parameters;
  const call = { ...callOf(linkPaths.tap, wanted), query: { ...others, ...name } };
  return await (node === undefined ? searchedTap(agents, wanted, call) : tapOn(node, { agents, name, call }));
}

async function tapOn(
  node: string,
  asked: { readonly agents: ConnectedAgents; readonly name: CaptureName; readonly call: StreamCall },
): Promise<StreamSource | StatusError> {
  const { agents, name, call } = asked;
  const ofNode = agents.ofNode(node);
  if (ofNode.length === 0) return streamErrors.noAgentOf(node);
  const answer = await askInTurn(ofNode, call);
  if (answer.kind === 'source') return sourceOf(answer, undefined);
  if (answer.kind === 'refused') return answer.error;
  return answer.unreachable.length === 0
    ? streamErrors.noPodOn(name, node)
    : streamErrors.podUnreachable(name, [node]);
}

async function searchedTap(
  agents: ConnectedAgents,
  { capture: name, mayAskAll }: WantedStream,
  call: StreamCall,
): Promise<StreamSource | StatusError> {
  const all = agents.all();
  const unreachable: string[] = [];
  for (const round of roundsOf(agents)) {
    if (round.length > 1 && !mayAskAll()) return streamErrors.tooManySearches();
    const answer = await askTogether(round, call);
    if (answer.kind === 'source') return sourceOf(answer, undefined);
    if (answer.kind === 'contested') return streamErrors.contestedPod(name, answer.nodes);
    if (answer.kind === 'refused') return answer.error;
    unreachable.push(...answer.unreachable);
  }
  if (all.length === 0) return streamErrors.noAgents();
  if (unreachable.length > 0) return streamErrors.podUnreachable(name, [...new Set(unreachable)].toSorted());
  return streamErrors.noPod(name, all.length);
}

/** Whom to ask together, one round after the other: of two agents on a Node, as during an update, the newer one first. */
function roundsOf(agents: ConnectedAgents): readonly (readonly AgentLink[])[] {
  const nodes = [...new Set(agents.all().map(({ node }) => node))];
  const newest = nodes.flatMap((node) => agents.ofNode(node).slice(0, 1));
  const older = nodes.flatMap((node) => agents.ofNode(node).slice(1));
  return [newest, older].filter(({ length }) => length > 0);
}

function sourceOf(
  { agent, response }: Extract<StreamAnswer, { readonly kind: 'source' }>,
  recording: string | undefined,
): StreamSource {
  return { kind: 'source', node: agent.node, recording, response };
}

function callOf(path: string, { accept, user, signal }: WantedStream): StreamCall {
  return {
    path,
    headers: {
      accept: accept.length <= longestAccept ? accept : captureFileMediaType,
      // Agents need not know who it is.
      [linkReaderHeader]: createHash('sha256').update(user).digest('base64url'),
    },
    // A tap starts tcpdump and compiles its filter first.
    responseMs: 20_000,
    signal,
  };
}

const longestAccept = 1_024;
