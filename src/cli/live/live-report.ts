import type { StreamGap } from '../../api/stream-frames.ts';
import { exitCodes, printMessage } from '../../commands/terminal.ts';
import type { Damage } from '../../pcap/packet-reader.ts';
import { type ForeignInterface, foreignText } from '../api/own-interfaces.ts';
import type { CliTerminal } from '../cli-command.ts';
import type { LivePod } from './live-taps.ts';

/** Says on standard error what becomes of the taps, and at the end what was shown and what is missing. */
export type LiveReport = {
  readonly opened: (pod: LivePod, missedMs: number | undefined) => void;
  readonly cut: (pod: LivePod, why: string) => void;
  readonly gaps: (gaps: readonly StreamGap[]) => void;
  readonly damaged: (pod: LivePod, damage: readonly Damage[]) => void;
  readonly foreign: (pod: LivePod, foreign: ForeignInterface) => void;
  readonly refused: (pod: LivePod, message: string) => void;
  readonly ended: (pod: LivePod, message: string) => void;
  /** Only people at a terminal wonder whether anything happens. */
  readonly begin: (pods: readonly LivePod[]) => void;
  /** One that is not among the first. */
  readonly came: (pod: LivePod) => void;
  /** There was no space here for packets, because the output is slow. */
  readonly noSpace: () => void;
  readonly say: (message: string) => void;
  /** Returns the exit code. */
  readonly summary: (packets: number, seconds: number) => number;
};

/** As many lines as fit on a screen: of a wrong filter, or a hub that is restarted, each Pod has one. */
const mostLines = 10;

export function liveReport(terminal: CliTerminal): LiveReport {
  const away = new Set<string>();
  /** Those of which it was said. */
  const announced = new Set<string>();
  /** Of each Pod, how often it was said. */
  const cuts = new Map<string, number>();
  let watched = 0;
  let [missing, isIncomplete, refusals, noSpace, damages, foreigners] = [0, false, 0, 0, 0, 0];
  const say = (message: string) => printMessage(terminal, message);
  const forget = (key: string) => {
    for (const kept of [away, announced, cuts]) kept.delete(key);
  };

  return {
    say,
    opened({ key, name }, missedMs) {
      if (missedMs === undefined) watched += 1;
      const wasAway = away.delete(key);
      const wasAnnounced = announced.delete(key);
      if (!wasAway || missedMs === undefined) return;
      isIncomplete = true;
      if (wasAnnounced)
        say(`${name} is watched again: what passed in ${(missedMs / 1_000).toFixed(1)} s is missing`);
    },
    cut({ key, name }, why) {
      if (away.has(key)) return;
      away.add(key);
      const before = cuts.get(key) ?? 0;
      if (before > mostLines) return;
      if (announced.size < mostLines) {
        cuts.set(key, before + 1);
        if (before === mostLines) {
          say(`${name} is cut again and again; no more of that is said`);
          return;
        }
        announced.add(key);
        say(`${name}: ${why}; it is tried again`);
      } else if (away.size === mostLines + 1) say('more Pods are tried again');
    },
    gaps(gaps) {
      for (const { packets } of gaps) missing += packets ?? 0;
      isIncomplete ||= gaps.length > 0;
    },
    damaged({ name }, damage) {
      isIncomplete = true;
      for (const { message } of damage) {
        damages += 1;
        if (damages <= mostLines) say(`packets of ${name} are missing: ${message}`);
        else if (damages === mostLines + 1) say('more could not be read');
      }
    },
    foreign({ name }, foreign) {
      foreigners += 1;
      if (foreigners <= mostLines) say(foreignText(name, foreign));
      else if (foreigners === mostLines + 1) say('more Pods have interfaces of others');
    },
    refused({ key, name }, message) {
      forget(key);
      isIncomplete = true;
      refusals += 1;
      if (refusals <= mostLines) say(`${name} is not watched: ${message}`);
      else if (refusals === mostLines + 1) say('more are not watched');
    },
    ended({ key, name }, message) {
      forget(key);
      say(`${name}: ${message}`);
    },
    begin(pods) {
      if (terminal.stderr.isTTY !== true) return;
      const [first, ...others] = pods;
      const what = others.length === 0 ? (first?.name ?? 'Pods that come') : `${pods.length} Pods`;
      say(`watching ${what}; Ctrl-C ends`);
    },
    came: ({ name }) => say(`${name} has come, and is watched`),
    noSpace() {
      if (noSpace === 0) say('the output takes less than what passes: packets are left out');
      noSpace += 1;
      isIncomplete = true;
    },
    summary(packets, seconds) {
      if (away.size > 0) {
        isIncomplete = true;
        say(
          away.size === 1
            ? '1 Pod was not watched at the end'
            : `${away.size} Pods were not watched at the end`,
        );
      }
      if (watched === 0) {
        if (refusals === 0 && away.size === 0) say('no Pod was watched');
        return exitCodes.failed;
      }
      const pods = watched === 1 ? '1 Pod' : `${watched} Pods`;
      const lost = missing + noSpace;
      const missed = lost > 0 ? `; ${counted(lost)} are missing` : '';
      say(`${counted(packets)} of ${pods} in ${seconds.toFixed(1)} s${missed}`);
      return isIncomplete ? exitCodes.incomplete : exitCodes.done;
    },
  };
}

function counted(packets: number): string {
  return packets === 1 ? '1 packet' : `${packets} packets`;
}
