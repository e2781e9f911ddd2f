/** A term of the filter language, as people read about it. */
export type FilterTerm = {
  /** How it is written; capitals stand for a value. The first words of all terms are those that the parser knows. */
  readonly syntax: string;
  /** In Markdown: what people type is in backticks. */
  readonly matches: string;
  readonly example: string;
};

/** Every term, for the help of commands, the documentation and the page. */
export const filterTerms: readonly FilterTerm[] = [
  {
    syntax: 'tcp, udp, icmp, icmp6, arp',
    matches: 'packets of this protocol; `icmpv6` is the same as `icmp6`',
    example: 'udp or icmpv6',
  },
  { syntax: 'ip, ip6', matches: 'IPv4, IPv6; `ipv4` and `ipv6` are the same', example: 'ip6 and not tcp' },
  {
    syntax: 'dns, http, tls',
    matches:
      'packets in which this protocol was recognized: DNS on ports 53 and 5353, the others on any port',
    example: 'http or tls',
  },
  {
    syntax: 'port N',
    matches: 'TCP and UDP from or to this port, or range of ports; `portrange` is the same',
    example: 'port 8000-8100',
  },
  {
    syntax: 'host ADDRESS',
    matches: 'IPv4 or IPv6 packets from or to this address, in any spelling, or network; `net` is the same',
    example: 'host 10.0.0.1 or net fd00::/8',
  },
  {
    syntax: 'src ..., dst ...',
    matches: '`port` or `host` of one side; `src ADDRESS` is `src host ADDRESS`',
    example: 'src host 10.0.0.1 and dst port 443',
  },
  {
    syntax: 'PROTOCOL port N',
    matches: 'a protocol directly before `port`, `host`, `src` or `dst`: both',
    example: 'tcp dst port 80',
  },
  {
    syntax: 'pod NAME',
    matches: 'packets captured at this Pod: `web`, `shop/web` or, with `*` for any characters, `web-*`',
    example: 'pod shop/web-*',
  },
  {
    syntax: 'namespace NAME',
    matches: 'packets captured at Pods of this namespace',
    example: 'namespace shop',
  },
  {
    syntax: 'interface NAME',
    matches: 'packets captured at this interface, of any Pod',
    example: 'interface eth0',
  },
  { syntax: 'vlan, vlan ID', matches: 'packets with a VLAN tag, or with this one', example: 'vlan 100' },
  {
    syntax: 'syn, fin, rst, ack, psh, urg, ece, cwr',
    matches: 'TCP with this flag, whatever the others: `syn` is SYN and SYN+ACK',
    example: 'syn and not ack',
  },
  {
    syntax: 'retransmission',
    matches: 'TCP whose data, SYN or FIN was seen before',
    example: 'retransmission',
  },
  {
    syntax: 'len > BYTES',
    matches:
      'the length on the wire: `>`, `>=`, `<`, `<=`, `==` or `!=`; `length` is the same; `greater N` and `less N` are `>=` and `<=`',
    example: 'len > 1000',
  },
  {
    syntax: '"TEXT"',
    matches:
      'packets whose payload contains the text; letters from A to Z in either case; in DNS also as the line shows it; `\\"` `\\\\` `\\r` `\\n` `\\t` and `\\xHH` are escapes, and `\\xHH` is exactly this byte',
    example: '"host: example.com\\r\\n"',
  },
];

/** The operators, from those that bind most tightly to those that bind least. */
export const filterOperators: readonly FilterTerm[] = [
  { syntax: '( )', matches: 'what is inside comes first', example: 'tcp and (port 80 or port 443)' },
  { syntax: 'not, !', matches: 'packets that the next term does not match', example: 'not port 22' },
  { syntax: 'and, &&', matches: 'packets that both sides match', example: 'tcp && rst' },
  {
    syntax: 'or, ||',
    matches: 'packets that one side matches; `and` comes before `or`, unlike in tcpdump',
    example: 'dns or tcp and syn',
  },
];
