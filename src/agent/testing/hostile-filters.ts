/** What happens to a filter: the annotation is refused, tcpdump does not compile it, or it is accepted. */
export type Fate = 'refused' | 'rejected' | 'accepted';

/**
 * Filters that try to be something else: an option, a path, a word of a shell. `there` is a path where no filter may
 * ever create a file.
 */
export function hostileFilters(there: string): readonly (readonly [Fate, string])[] {
  return [
    ...['-', '--', '-d', '-D', '-L', '-V', '-h', '--help', '--version', '-i any', '-i lo'].map(rejected),
    ...[`-w ${there}`, `-w${there}`, `-r ${there}`, `-F ${there}`, `-F${there}`].map(rejected),
    ...[`-z ${there}`, `-z${there}`, `-G 1 -z ${there}`, `-C 1 -W 1 -z ${there}`, `-Z root`, '-Zroot'].map(
      rejected,
    ),
    ...[
      `--relinquish-privileges=root`,
      `--interface=any`,
      `-- -w ${there}`,
      `-- -- tcp`,
      `tcp -w ${there}`,
    ].map(rejected),
    ...[`tcp port 80 -z ${there}`, `tcp and -w ${there}`, `tcp; touch ${there}`, `tcp && touch ${there}`].map(
      rejected,
    ),
    ...[`; touch ${there}`, `| touch ${there}`, `|| touch ${there}`, `& touch ${there}`, `> ${there}`].map(
      rejected,
    ),
    ...[`tcp > ${there}`, `tcp >> ${there}`, `< /etc/shadow`, `$(touch ${there})`, `\`touch ${there}\``].map(
      rejected,
    ),
    ...['$PATH', '${PATH}', '~', '*', '?', '[a-z]', '{a,b}', '!', '!!', '#', '# tcp', 'tcp # udp', '\\'].map(
      rejected,
    ),
    ...[
      `'`,
      `"`,
      `''`,
      `""`,
      `' tcp`,
      `'tcp'`,
      `"tcp"`,
      `tcp' or '`,
      `tcp" -w "${there}`,
      `'; touch ${there}; '`,
    ].map(rejected),
    ...[
      there,
      `file://${there}`,
      `@${there}`,
      '../../etc/passwd',
      '/proc/self/environ',
      '/dev/stdin',
      '.',
      '..',
    ].map(rejected),
    ...['%s', '%n', '%s%s%s%n%n%n', '%08x.%08x', '%', '%%', '%d tcp', 'tcp %n'].map(rejected),
    ...['host www.example.com', 'host $(id)', 'host -w', 'port -1', 'port 99999999999', 'ether host x'].map(
      rejected,
    ),
    ...['gateway localhost', 'port http-alt-x', 'host $HOME', 'host ../..'].map(rejected),
    ...['（tcp）', 'ｔｃｐ', 'tcp\u00a0port 80', '\u202etcp', 'tcp\u200b', '\ufefftcp', '🦈', 'ünïcode'].map(
      rejected,
    ),
    ...['', ' ', '\n', '\t', 'tcp\n', '\ntcp', 'tcp\nor udp', 'tcp\r\n-w x', 'tcp\u0000', '\u0000'].map(
      refused,
    ),
    ...[
      `-w\t${there}`,
      'tcp\u0000-w x',
      '\u001b[2J',
      'tcp\u0007',
      'tcp\u007f',
      'tcp\u0085',
      '\ud800',
      'tcp \udc00',
    ].map(refused),
    ...['x'.repeat(100_000), 'tcp or '.repeat(20_000), '('.repeat(100_000), '-'.repeat(2_049)].map(refused),
    ...['('.repeat(2_048), '-'.repeat(2_048), 'not '.repeat(512), 'tcp or '.repeat(200)].map(rejected),
    ...[
      'tcp',
      ' tcp',
      '(tcp)',
      'not not tcp',
      'tcp && port 9',
      'tcp || udp',
      '!tcp',
      'less 9',
      'ip[0] & 0xf != 5',
    ].map(accepted),
    ...['tcp[tcpflags] & (tcp-syn|tcp-fin) != 0', 'ether[0] = 1', 'len > 1', 'ip proto \\udp'].map(accepted),
  ];
}

const refused = (filter: string) => ['refused', filter] as const;
const rejected = (filter: string) => ['rejected', filter] as const;
const accepted = (filter: string) => ['accepted', filter] as const;
