import type { CaptureOutput } from '../../commands/capture-output.ts';
import { exitCodes } from '../../commands/terminal.ts';
import { interfaceKey, writtenInterfaces } from '../../pcap/merge/written-interfaces.ts';
import { captureWriter } from '../../pcap/write/capture-writer.ts';
import type { WriteProblem } from '../../pcap/write/packet-writer.ts';
import { CommandFailure } from '../cli-command.ts';
import type { LiveSink } from './live-sink.ts';

/** Writes the packets as pcapng. The output is complete once it has ended. */
export function captureSink(output: CaptureOutput): LiveSink {
  const writer = captureWriter('pcapng');
  const written = writtenInterfaces(writer);
  const missing = new Map<string, number>();
  return {
    add({ packet, description, missingBefore }) {
      const number = numberOf(written.numberOf(description));
      const problem = writer.writePacket(packet, number, missingBefore);
      if (problem) throw failure(problem);
      written.count(number, packet);
      if (missingBefore === 0) return;
      const key = interfaceKey(description);
      missing.set(key, (missing.get(key) ?? 0) + missingBefore);
    },
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

function numberOf(number: number | WriteProblem): number {
  if (typeof number !== 'number') throw failure(number);
  return number;
}

function failure({ message }: WriteProblem): CommandFailure {
  return new CommandFailure(message, exitCodes.failed);
}
