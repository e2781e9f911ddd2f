import { BlockList } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Protocol } from '../decode/decoded-packet.ts';
import { parseFilter } from './filter.ts';
import { filterOperators, filterTerms } from './filter-terms.ts';
import type { FilterSubject } from './matcher.ts';
import { showProblem } from './show-problem.ts';
import { packets, subjectOf } from './testing/filter-subjects.ts';

const numRuns = 2_000;

test('an expression means what its tree means, however it is written', () => {
  fc.assert(
    fc.property(expressions, fc.array(subjects, { minLength: 1, maxLength: 5 }), (expression, each) => {
      const filter = parseFilter(expression.text);
      if (filter.kind === 'invalid') throw new Error(`${filter.message}: ${expression.text}`);
      expect(each.map(filter.matches)).toEqual(each.map(expression.isTrue));
    }),
    { numRuns },
  );
});

test('whatever the text is, it is a filter or has an error that points inside it', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), pieces, mutated()), (text) => {
      expect(complaintsAbout(text)).toEqual([]);
    }),
    { numRuns },
  );
});

/** What is wrong with the result of a text. */
function complaintsAbout(text: string): readonly string[] {
  const filter = parseFilter(text);
  if (filter.kind === 'filter') {
    for (const subject of Object.values(packets)) filter.matches(subject);
    return [];
  }
  const { at, length, message } = filter;
  const [line = '', carets = ''] = showProblem(text, filter, 60).split('\n');
  return [
    !(at >= 0 && length >= 0 && at + length <= text.length) && 'it points outside of the text',
    length === 0 && at !== text.length && 'it points at nothing',
    !/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{5,400}$/u.test(message) && 'it has a message that cannot be shown',
    !/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u.test(line) &&
      'it is shown with characters that a terminal acts on',
    !/^ *\^+( |$)/.test(carets) && 'it is shown without carets',
  ].filter((each) => each !== false);
}

/** What a term is when it is looked up in the plainest way. */
type Expression = { readonly text: string; readonly isTrue: (subject: FilterSubject) => boolean };

/** How tightly the outermost operator of a printed expression binds: or 1, and 2, not and terms 3. */
type Printed = Expression & { readonly binding: 1 | 2 | 3 };

const addresses = ['10.0.0.1', '10.0.0.2', '10.1.0.1', '192.168.7.7', 'fd00::1', 'fd00:0:1::', '2001:db8::9'];
const names = ['shop/web/eth0', 'shop/api/net1', 'bank/web/eth0', 'eth0', undefined];
const ports = [0, 53, 80, 81, 65_535];
const words = ['alpha', 'BETA', 'al'];

const subjects: fc.Arbitrary<FilterSubject> = fc
  .record({
    protocols: fc.subarray<Protocol>(['ipv4', 'ipv6', 'tcp', 'udp', 'dns', 'arp', 'icmpv6', 'vlan']),
    source: fc.option(fc.constantFrom(...addresses), { nil: undefined }),
    destination: fc.option(fc.constantFrom(...addresses), { nil: undefined }),
    sourcePort: fc.option(fc.constantFrom(...ports), { nil: undefined }),
    destinationPort: fc.option(fc.constantFrom(...ports), { nil: undefined }),
    vlans: fc.subarray([1, 100]),
    flags: fc.nat(255),
    isRetransmission: fc.boolean(),
    payload: fc.constantFrom('', 'xxalphaxx', 'Beta', 'alpbeta'),
    originalBytes: fc.constantFrom(0, 99, 100, 101),
    interfaceName: fc.constantFrom(...names),
  })
  .map(({ interfaceName, ...parts }) =>
    subjectOf(interfaceName === undefined ? parts : { ...parts, interfaceName }),
  );

const sides: fc.Arbitrary<readonly ('source' | 'destination')[]> = fc.constantFrom(
  ['source', 'destination'],
  ['source'],
  ['destination'],
);

const terms: fc.Arbitrary<Expression> = fc.oneof(
  fc.constantFrom('tcp', 'udp', 'dns', 'arp').map((protocol) => ({
    text: protocol,
    isTrue: ({ packet }: FilterSubject) => packet.protocols.some((each) => each === protocol),
  })),
  fc
    .constantFrom(...['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr'].entries())
    .map(([bit, text]) => ({
      text,
      isTrue: ({ packet }: FilterSubject) => (((packet.tcp?.flags ?? 0) >> bit) & 1) === 1,
    })),
  fc.tuple(sides, fc.constantFrom(...ports), fc.constantFrom(...ports), fc.boolean()).map(portTerm),
  fc.tuple(sides, fc.constantFrom(...addresses), fc.nat(32), fc.constantFrom('host', 'net')).map(hostTerm),
  fc.constantFrom('web', 'api', 'eth0').map((pod) => ({
    text: `pod ${pod}`,
    isTrue: ({ interfaceName = '' }: FilterSubject) => new RegExp(`^[^/]+/${pod}/[^/]+$`).test(interfaceName),
  })),
  fc.constantFrom('shop', 'bank').map((namespace) => ({
    text: `namespace ${namespace}`,
    isTrue: ({ interfaceName = '' }: FilterSubject) => interfaceName.startsWith(`${namespace}/`),
  })),
  fc.constantFrom('eth0', 'net1').map((name) => ({
    text: `interface ${name}`,
    isTrue: ({ interfaceName = '' }: FilterSubject) => interfaceName.split('/').at(-1) === name,
  })),
  fc.constantFrom(1, 2, 100).map((id) => ({
    text: `vlan ${id}`,
    isTrue: ({ packet }: FilterSubject) => packet.vlans.some((vlan) => vlan === id),
  })),
  fc.constant({
    text: 'retransmission',
    isTrue: ({ packet }: FilterSubject) => packet.tcp?.isRetransmission === true,
  }),
  fc.constantFrom(...words).map((word) => ({
    text: `"${word}"`,
    isTrue: ({ buffer, dataAt, capturedBytes }: FilterSubject) =>
      Buffer.from(buffer.subarray(dataAt, dataAt + capturedBytes))
        .toString('latin1')
        .toLowerCase()
        .includes(word.toLowerCase()),
  })),
  fc.constantFrom(99, 100).map((bytes) => ({
    text: `len > ${bytes}`,
    isTrue: ({ originalBytes }: FilterSubject) => originalBytes > bytes,
  })),
);

type Direction = 'source' | 'destination';

function portTerm([each, a, b, isRange]: readonly [
  readonly Direction[],
  number,
  number,
  boolean,
]): Expression {
  const [from, to] = isRange ? [Math.min(a, b), Math.max(a, b)] : [a, a];
  return {
    text: `${prefixOf(each)}port ${isRange ? `${from}-${to}` : from}`,
    isTrue: ({ packet }) =>
      each
        .map((side) => (side === 'source' ? packet.sourcePort : packet.destinationPort) ?? -1)
        .some((port) => port >= from && port <= to),
  };
}

/** Node.js's own comparison of addresses and networks is the reference. */
function hostTerm([each, address, bits, word]: readonly [
  readonly Direction[],
  string,
  number,
  string,
]): Expression {
  const family = address.includes(':') ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  list.addSubnet(address, bits, family);
  return {
    text: `${prefixOf(each)}${word} ${address}/${bits}`,
    isTrue: ({ packet }) =>
      each
        .map((side) => packet[side])
        .some(
          (text) =>
            text !== undefined && text.includes(':') === (family === 'ipv6') && list.check(text, family),
        ),
  };
}

function prefixOf(each: readonly Direction[]): string {
  return each.length === 2 ? '' : each[0] === 'source' ? 'src ' : 'dst ';
}

const spaces = fc.constantFrom(' ', '  ', '\t', '\n ');

const { printed } = fc.letrec<{ readonly printed: Printed }>((tie) => ({
  printed: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    fc.tuple(terms, fc.boolean()).map(([{ text, isTrue }, isUpper]): Printed => {
      return { text: isUpper && !/[ "]/.test(text) ? text.toUpperCase() : text, isTrue, binding: 3 };
    }),
    fc.tuple(tie('printed'), fc.constantFrom('not ', '!', 'NOT ', '! ')).map(
      ([part, word]): Printed => ({
        text: `${word}${within(part, 3)}`,
        isTrue: (subject) => !part.isTrue(subject),
        binding: 3,
      }),
    ),
    fc.tuple(tie('printed'), tie('printed'), fc.constantFrom('and', '&&', 'AND'), spaces).map(
      ([a, b, word, space]): Printed => ({
        text: `${within(a, 2)}${space}${word}${space}${within(b, 2)}`,
        isTrue: (subject) => a.isTrue(subject) && b.isTrue(subject),
        binding: 2,
      }),
    ),
    fc.tuple(tie('printed'), tie('printed'), fc.constantFrom('or', '||', 'Or'), spaces).map(
      ([a, b, word, space]): Printed => ({
        text: `${a.text}${space}${word}${space}${b.text}`,
        isTrue: (subject) => a.isTrue(subject) || b.isTrue(subject),
        binding: 1,
      }),
    ),
    tie('printed').map((part): Printed => ({ ...part, text: `(${part.text} )`, binding: 3 })),
  ),
}));

const expressions: fc.Arbitrary<Expression> = printed.filter(({ text }) => text.length <= 4_096);

/** In parentheses, if it would be torn apart without them. */
function within({ text, binding }: Printed, outer: 2 | 3): string {
  return binding < outer ? `(${text})` : text;
}

/** Texts made of what means something to the parser. */
const pieces = fc
  .array(
    fc.oneof(
      fc.constantFrom(...[...filterTerms, ...filterOperators].flatMap(({ example }) => example.split(' '))),
      fc.constantFrom(
        '(',
        ')',
        '!',
        '"',
        '\\',
        '[',
        ']',
        '&',
        '==',
        '80',
        '10.0.0.1/',
        '::',
        'tcp.port',
        'ether',
      ),
      fc.string({ unit: 'grapheme', maxLength: 3 }),
    ),
    { maxLength: 30 },
  )
  .map((each) => each.join(' '));

/** Expressions in which some characters are missing, twice there, or others. */
function mutated(): fc.Arbitrary<string> {
  const edit = fc.tuple(fc.nat(), fc.nat(3), fc.string({ unit: 'binary', maxLength: 2 }));
  return fc.tuple(expressions, fc.array(edit, { minLength: 1, maxLength: 4 })).map(([{ text }, edits]) =>
    edits.reduce((edited, [where, removed, inserted]) => {
      const at = where % (edited.length + 1);
      return edited.slice(0, at) + inserted + edited.slice(at + removed);
    }, text),
  );
}
