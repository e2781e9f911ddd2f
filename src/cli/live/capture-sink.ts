import type { CaptureOutput } from '../../commands/capture-output.ts';
import { exitCodes } from '../../commands/terminal.ts';
import type { CaptureInterface } from '../../pcap/capture-interface.ts';
import { interfaceKey, writtenInterfaces } from '../../pcap/merge/written-interfaces.ts';
import { captureWriter } from '../../pcap/write/capture-writer.ts';
import type { WriteProblem } from '../../pcap/write/packet-writer.ts';
import { CommandFailure } from '../cli-command.ts';
import type { LostAtEnd } from './arriving-packets.ts';
import type { LiveSink } from './live-sink.ts';

export type CaptureSinkOptions = {
  /** How the interface of a Pod is described in the output; as the agent does unless given. */
  readonly describe?: (description: CaptureInterface) => CaptureInterface;
};

/** Writes the packets as pcapng. The output is complete once it has ended. */
export function captureSink(
  output: CaptureOutput,
  { describe = (description) => description }: CaptureSinkOptions = {},
): LiveSink {
  const writer = captureWriter('pcapng');
  const written = writtenInterfaces(writer);
  const missing = new Map<string, number>();
  /** Of each description of a tap, so that a packet costs no comparison of texts. */
  const known = new WeakMap<CaptureInterface, KnownInterface>();

  function interfaceOf(described: CaptureInterface): KnownInterface {
    const description = describe(described);
    const found = { description, number: numberOf(written.numberOf(description)) };
    known.set(described, found);
    return found;
  }

  function addMissing({ description, packets }: LostAtEnd): void {
    const key = interfaceKey(description);
    missing.set(key, (missing.get(key) ?? 0) + packets);
  }

  return {
    add({ packet, description: described, missingBefore }) {
      const { description, number } = known.get(described) ?? interfaceOf(described);
      const problem = writer.writePacket(packet, number, missingBefore);
      if (problem) throw failure(problem);
      written.count(number, packet);
      if (missingBefore > 0) addMissing({ description, packets: missingBefore });
    },
    lost({ description: described, packets }) {
      // It may have no packet at all.
      const { description } = known.get(described) ?? interfaceOf(described);
      addMissing({ description, packets });
    },
    forget: () => {},
    pendingBytes: () => writer.pendingBytes,
    async flush() {
      return writer.pendingBytes === 0 ? { kind: 'written' } : await output.write(writer.take());
    },
    async end() {
      writer.end(
        written.statistics((description) => ({
          droppedBySystem: BigInt(missing.get(interfaceKey(description)) ?? 0),
        })),
      );
      const last = await output.write(writer.take());
      const completed = await output.complete();
      return last.kind === 'written' ? completed : last;
    },
    [Symbol.asyncDispose]: () => output[Symbol.asyncDispose](),
  };
}

type KnownInterface = { readonly description: CaptureInterface; readonly number: number };

function numberOf(number: number | WriteProblem): number {
  if (typeof number !== 'number') throw failure(number);
  return number;
}

function failure({ message }: WriteProblem): CommandFailure {
  return new CommandFailure(message, exitCodes.failed);
}

/** For a narrow column: the Pod first. What is left out is in the description. */
export function podFirst(described: CaptureInterface): CaptureInterface {
  const { name = '', description } = described;
  const [namespace = '', pod, port] = name.split('/');
  if (pod === undefined || port === undefined) return described;
  const rest = description === undefined ? '' : `, ${description}`;
  return { ...described, name: `${pod}/${port}`, description: `Namespace ${namespace}${rest}` };
}
