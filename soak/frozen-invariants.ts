import { settingDescriptions } from '../src/agent/settings.ts';
import type { ObservedPod, SettledFolder, SoakHistory } from './observed-cluster.ts';

/** The deployed agents have the default. */
const maxFrozenRings = Number(settingDescriptions.maxFrozenRings.default);

const invariants = {
  isFrozen: 'no ring is still being frozen',
  fewRings: `at most ${maxFrozenRings} frozen rings`,
  ringsStay: 'the first and the newest frozen rings stay with the files',
  textFroze: 'each text of podcap.dev/freeze has frozen the ring, also one that has waited',
} as const;

/** What does not hold of a Pod's frozen rings when everything is settled. Pure. */
export function frozenViolations(
  pod: ObservedPod,
  history: Pick<SoakHistory, 'frozenTexts' | 'folders'>,
): string[] {
  const { folder } = pod;
  const found: string[] = [];
  if (folder?.frozen.some(({ isFrozen }) => !isFrozen)) found.push(invariants.isFrozen);
  if ((folder?.frozen.length ?? 0) > maxFrozenRings) found.push(invariants.fewRings);
  if (hasLostRing(history.folders.get(pod.uid), pod)) found.push(invariants.ringsStay);
  if (isTextDue(pod, history)) found.push(invariants.textFroze);
  return found;
}

/**
 * The first ring stays, and the newest ones. Without space, the newest makes way for another one; what nobody asks for is
 * evicted.
 */
function hasLostRing(
  settled: SettledFolder | undefined,
  { folder, expected, wasDiskFilled }: ObservedPod,
): boolean {
  if (!settled || !folder || settled.id !== folder.id || (wasDiskFilled && !expected.isAsked)) return false;
  const numbers = folder.frozen.map(({ number }) => number);
  const mostNewer = wasDiskFilled ? 1 : maxFrozenRings - 1;
  return settled.frozen.some((number, at) => {
    const newer = numbers.filter((other) => other > number);
    return !numbers.includes(number) && (at === 0 || newer.length < mostNewer);
  });
}

function isTextDue(
  { dueText, expected, folder }: ObservedPod,
  { frozenTexts }: Pick<SoakHistory, 'frozenTexts'>,
): boolean {
  if (!dueText || expected.captured.length === 0 || frozenTexts.has(dueText.text)) return false;
  const isRefused = dueText.mayLackSpace && folder?.seenText === dueText.text;
  return !isRefused;
}
