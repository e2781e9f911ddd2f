import type { Figure } from './figure.ts';
import { admission } from './figures/admission.ts';
import { atOnce } from './figures/at-once.ts';
import { cpu } from './figures/cpu.ts';
import { cpuIdle } from './figures/cpu-idle.ts';
import { decode } from './figures/decode.ts';
import { diskWrites } from './figures/disk-writes.ts';
import { download } from './figures/download.ts';
import { firstLine } from './figures/first-line.ts';
import { firstPacket } from './figures/first-packet.ts';
import { hubLinkMemory } from './figures/hub-link-memory.ts';
import { lastDatagram } from './figures/last-datagram.ts';
import { live } from './figures/live.ts';
import { loss } from './figures/loss.ts';
import { memory } from './figures/memory.ts';
import { merge } from './figures/merge.ts';
import { othersThroughput, othersThroughputTcp } from './figures/others-throughput.ts';
import { policyChange } from './figures/policy-change.ts';
import { restart } from './figures/restart.ts';
import { ringMemory } from './figures/ring-memory.ts';
import { save } from './figures/save.ts';
import { startLatency } from './figures/start-latency.ts';
import { hubScale } from './hub-scale/hub-scale.ts';
import { scale } from './scale/scale.ts';

/** All figures, in the order of docs/benchmarks.md. */
export const figures: readonly Figure[] = [
  othersThroughput,
  othersThroughputTcp,
  loss,
  diskWrites,
  cpu,
  restart,
  startLatency,
  firstPacket,
  lastDatagram,
  atOnce,
  policyChange,
  cpuIdle,
  memory,
  hubLinkMemory,
  ringMemory,
  admission,
  scale,
  hubScale,
  download,
  live,
  firstLine,
  save,
  merge,
  decode,
];
