import type { Matcher } from './matcher.ts';

/** Whether the part of a name between two offsets is the one that is asked for. */
type NameTest = (name: string, from: number, to: number) => boolean;

/** Matches packets of a Pod, `web` or `shop/web`; undefined if the text has more than one slash or an empty part. */
export function podMatcher(text: string): Matcher | undefined {
  const parts = text.split('/');
  if (parts.length > 2 || parts.includes('')) return undefined;
  const isPod = nameTest(parts.at(-1) ?? '');
  const isNamespace = nameTest(parts.length === 2 ? (parts[0] ?? '') : '*');
  return ({ interfaceName: name = '' }) => {
    const slash = name.indexOf('/');
    const end = endOfPod(name, slash);
    return end > 0 && isPod(name, slash + 1, end) && isNamespace(name, 0, slash);
  };
}

/** Matches packets of the Pods of a namespace; undefined if the text cannot be the name of one. */
export function namespaceMatcher(text: string): Matcher | undefined {
  if (text === '' || text.includes('/')) return undefined;
  const isNamespace = nameTest(text);
  return ({ interfaceName: name = '' }) => {
    const slash = name.indexOf('/');
    return endOfPod(name, slash) > 0 && isNamespace(name, 0, slash);
  };
}

/** Matches packets of interfaces with this name: `eth0` of any Pod or of a capture that names no Pods, or a whole name. */
export function interfaceMatcher(text: string): Matcher {
  const isInterface = nameTest(text);
  const isWhole = text.includes('/');
  return ({ interfaceName: name }) => {
    if (name === undefined) return false;
    const from = isWhole ? 0 : endOfPod(name, name.indexOf('/')) + 1;
    return isInterface(name, from, name.length);
  };
}

/** Where the second slash of `namespace/pod/interface` is; -1 if the name is another one. */
function endOfPod(name: string, firstSlash: number): number {
  if (firstSlash < 0) return -1;
  const second = name.indexOf('/', firstSlash + 1);
  return second < 0 || name.includes('/', second + 1) ? -1 : second;
}

/** `*` in the text stands for any characters. The test allocates nothing. */
function nameTest(text: string): NameTest {
  const [first = '', ...parts] = text.split('*');
  const last = parts.pop();
  if (last === undefined)
    return (name, from, to) => to - from === first.length && name.startsWith(first, from);
  return (name, from, to) => {
    const end = to - last.length;
    let at = from + first.length;
    if (at > end || !name.startsWith(first, from) || !name.startsWith(last, end)) return false;
    for (const part of parts) {
      const found = name.indexOf(part, at);
      if (found < 0 || found + part.length > end) return false;
      at = found + part.length;
    }
    return true;
  };
}
