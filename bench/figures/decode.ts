import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { recordHeaderBytes, serializeHeader } from '../../src/pcap/pcap-format.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { decodeSpeed } from '../support/decode-speed.ts';
import { type MeasuredRun, measureRun } from '../support/measured-run.ts';
import { packetMix } from '../support/packet-mix.ts';
import { podcapProgram } from '../support/podcap-program.ts';
import { measureInRounds } from '../support/rounds.ts';
import { rowOf } from '../support/row.ts';
import { estimate, median } from '../support/statistics.ts';

/** How fast packets become lines: the decoder alone, and `podcap show` beside tcpdump and tshark. */
export const decode: Figure = {
  name: 'decode',
  unit: 'lines/s',
  goal: '>= 500,000 in Node.js and in Chromium (median)',
  runs: 7,
  needs: 'files',
  measure,
};

const minLinesPerSecond = 500_000;
const decoderOnly = 'decoder only';
const command = 'command, on a file';
const conversations = 5_000;

type DecodeRun = {
  readonly variant: string;
  readonly parameter: string;
  readonly linesPerSecond: number;
  /** Of a command. */
  readonly run: MeasuredRun | undefined;
};

type DecodeStep = () => Promise<DecodeRun>;

async function measure(options: MeasureOptions): Promise<Measurement> {
  await using folder = await temporaryFolder();
  const runs = await measureInRounds(options, {
    steps: [...(await decoderSteps(folder.path)), ...(await commandSteps(folder.path))],
    measureStep: (step) => step(),
    describe: (run) => `${run.parameter}: ${run.variant} ${Math.round(run.linesPerSecond)} lines/s`,
  });
  return measurementOf(runs);
}

async function decoderSteps(folder: string): Promise<DecodeStep[]> {
  const { inNode, inChromium } = await decodeSpeed(folder);
  return [decoderStep('podcap in Node.js', inNode), decoderStep('podcap in Chromium', inChromium)];
}

function decoderStep(variant: string, measureSpeed: () => Promise<number>): DecodeStep {
  return async () => ({
    variant,
    parameter: decoderOnly,
    linesPerSecond: await measureSpeed(),
    run: undefined,
  });
}

async function commandSteps(folder: string): Promise<DecodeStep[]> {
  const podcap = await podcapProgram(folder);
  const file = join(folder, 'mix.pcap');
  const packets = await writeMix(file);
  const commands = {
    podcap: [...podcap.command, 'show', file] as const,
    tcpdump: ['tcpdump', '-n', '-r', file] as const,
    tshark: ['tshark', '-n', '-r', file] as const,
  };
  return Object.entries(commands).map(([variant, argv]) => async () => {
    const run = await measureRun(argv, { env: variant === 'podcap' ? podcap.env : {} });
    if (run.kind === 'failed') throw new Error(`${variant} failed: ${run.message}`);
    return { variant, parameter: command, linesPerSecond: packets / run.seconds, run };
  });
}

/** Writes a capture file of the packets; returns their number. */
async function writeMix(path: string): Promise<number> {
  const frames = packetMix(conversations);
  const header = serializeHeader({ byteOrder: 'little', resolution: 'us', snaplen: 262_144, linkType: 1 });
  const records = frames.flatMap((frame, index) => {
    const record = Buffer.alloc(recordHeaderBytes);
    record.writeUInt32LE(1_790_000_000 + Math.floor(index / 50_000), 0);
    record.writeUInt32LE((index % 50_000) * 20, 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return [record, frame];
  });
  await writeFile(path, Buffer.concat([header, ...records]));
  return frames.length;
}

function measurementOf(runs: readonly DecodeRun[]): Measurement {
  const variants = [...new Set(runs.map(({ parameter, variant }) => `${parameter}/${variant}`))];
  const reference = runs.filter(({ parameter, variant }) => parameter === command && variant === 'tcpdump');
  const rows = variants.map((key) =>
    rowOfRuns(
      runs.filter(({ parameter, variant }) => `${parameter}/${variant}` === key),
      reference,
    ),
  );
  const decoders = rows.filter(({ parameter }) => parameter === decoderOnly);
  return { isReached: decoders.every((row) => row.median >= minLinesPerSecond), rows };
}

/** Of one variant; `reference`: tcpdump's runs in the same rounds. */
function rowOfRuns(runs: readonly DecodeRun[], reference: readonly DecodeRun[]): Row {
  const [first] = runs;
  if (!first) throw new Error('no runs');
  const row = rowOf(
    first.variant,
    first.parameter,
    runs.map(({ linesPerSecond }) => linesPerSecond),
  );
  const measured = runs.flatMap(({ run }) => run ?? []);
  if (measured.length === 0) return row;
  const ratios = runs.map((run, round) => run.linesPerSecond / (reference[round] ?? run).linesPerSecond);
  const cpuSeconds = measured.map((run) => run.cpuSeconds);
  const maxRssMegabytes = measured.map((run) => run.maxRssMegabytes);
  return {
    ...row,
    ratio: { ...estimate(ratios), to: 'tcpdump' },
    remark: `${median(cpuSeconds).toFixed(2)} s of CPU, ${Math.max(...maxRssMegabytes).toFixed(0)} MB`,
    details: { cpuSeconds, maxRssMegabytes },
  };
}
