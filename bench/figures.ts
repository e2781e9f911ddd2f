import { admission } from './admission.ts';
import { atOnce } from './at-once.ts';
import { cpu } from './cpu.ts';
import { cpuIdle } from './cpu-idle.ts';
import { diskWrites } from './disk-writes.ts';
import type { Figure } from './figure.ts';
import { firstPacket } from './first-packet.ts';
import { lastDatagram } from './last-datagram.ts';
import { loss } from './loss.ts';
import { memory } from './memory.ts';
import { othersThroughput, othersThroughputTcp } from './others-throughput.ts';
import { restart } from './restart.ts';
import { scale } from './scale/scale.ts';
import { startLatency } from './start-latency.ts';

/** All that is measured, in the order of docs/benchmarks.md. */
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
  cpuIdle,
  memory,
  admission,
  scale,
];
