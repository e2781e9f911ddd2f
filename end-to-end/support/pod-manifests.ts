import { captureAnnotation } from '../../src/agent/planner/annotations.ts';

/** A Pod of the tests. All are of the project's own image, which every Node has. */
export type PodManifest = {
  readonly metadata: {
    readonly name: string;
    readonly annotations: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: object;
};

/** What every Pod of the tests can have. */
export type PodOptions = {
  readonly name: string;
  /** If absent, the scheduler chooses. */
  readonly node?: string;
  /** How many capture files are kept; if absent, the Pod is not captured. */
  readonly annotation?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** More of the Pod's spec. */
  readonly spec?: object;
};

/** What a sender sends, and where to. */
export type SenderOptions = PodOptions & {
  /** The receiver's address. */
  readonly to: string;
  readonly port?: number;
  /** Datagrams per second. */
  readonly rate: number;
  /** Payload bytes of each. */
  readonly bytes: number;
  /** The number of datagrams, after which it falls silent. If absent, it sends until its network is gone. */
  readonly count?: number;
  /** The Pod succeeds after the last datagram. */
  readonly exits?: boolean;
  /** Each start of the container numbers from a million of its own, that of its second. */
  readonly renumbers?: boolean;
  /** It sends each datagram to itself on lo, too. */
  readonly alsoOnLo?: boolean;
};

/** Where a receiver listens. */
export const receiverPort = 9000;

/** Listens on `receiverPort`, so that what is sent there is not refused. */
export function receiver(options: PodOptions): PodManifest {
  return nodePod(options, `require('node:dgram').createSocket('udp4').bind(${receiverPort});`);
}

/**
 * Answers DNS, HTTP and TLS on their ports, closes connections to port 81 with a reset, and nothing else. TLS uses a
 * shared key, so that it needs no certificate.
 */
export function manyProtocolsServer(options: PodOptions): PodManifest {
  return nodePod(
    options,
    `
    const dns = require('node:dgram').createSocket('udp4');
    dns.on('message', (query, from) => {
      const answer = Buffer.concat([query, Buffer.from('c00c00010001000000050004c0000201', 'hex')]);
      answer.writeUInt16BE(0x8180, 2);
      answer.writeUInt16BE(1, 6);
      dns.send(answer, from.port, from.address);
    }).bind(53);
    require('node:http').createServer((request, response) => response.end('x'.repeat(1000))).listen(80);
    require('node:net').createServer((socket) => socket.resetAndDestroy()).listen(81);
    const psk = Buffer.alloc(16, 1);
    require('node:tls').createServer({ ciphers: 'PSK', maxVersion: 'TLSv1.2', pskCallback: () => psk },
      (socket) => socket.end('bye')).listen(443);
  `,
  );
}

/** Asks the server of many protocols, and a port on which nobody listens, every 100 ms. */
export function manyProtocolsClient({ to, ...options }: PodOptions & { readonly to: string }): PodManifest {
  return nodePod(
    options,
    `
    const host = '${to}';
    const psk = Buffer.alloc(16, 1);
    const query = Buffer.from('123401000001000000000000' + '03777777076578616d706c6503636f6d00' + '00010001', 'hex');
    const udp = require('node:dgram').createSocket('udp4');
    udp.on('error', () => {});
    setInterval(() => {
      udp.send(query, 53, host);
      udp.send('nobody listens', 9, host);
      require('node:http').get({ host, path: '/path?n=1', agent: false }, (response) => response.resume());
      require('node:net').connect(81, host).on('error', () => {});
      require('node:net').connect(82, host).on('error', () => {});
      require('node:tls').connect({ host, port: 443, servername: 'web.example.com', ciphers: 'PSK', maxVersion: 'TLSv1.2',
        checkServerIdentity: () => undefined, pskCallback: () => ({ psk, identity: 'test' }) }).on('error', () => {}).resume();
    }, 100);
  `,
  );
}

/** Does nothing, and sends nothing. It ignores TERM, as every process 1 without a handler does, and runs until KILL. */
export function idle(options: PodOptions): PodManifest {
  return pod(options, { containers: [container('main', ['sleep', 'infinity'])] });
}

/** Where the proxy of a Pod with a sidecar listens, and the user that it runs as. */
export const sidecar = { port: 15_001, userId: 1_337 } as const;

/**
 * Does nothing by itself. A second container is its proxy, which sends on to that address what it receives, as the
 * sidecar of a service mesh does; the rule that redirects to it is not part of the Pod.
 */
export function withSidecar({
  to,
  port,
  ...options
}: PodOptions & { readonly to: string; readonly port: number }): PodManifest {
  const script = `
    const socket = require('node:dgram').createSocket('udp4');
    socket.on('error', () => {}).on('message', (data) => socket.send(data, ${port}, '${to}')).bind(${sidecar.port});
  `;
  const proxy = {
    ...container('proxy', ['node', '-e', script]),
    securityContext: { runAsUser: sidecar.userId },
  };
  return pod(options, { containers: [container('main', ['sleep', 'infinity']), proxy] });
}

/** Sends numbered datagrams. It ignores TERM, so that it does not stop before its network does. */
export function sender({
  to,
  port = receiverPort,
  rate,
  bytes,
  count = Number.MAX_SAFE_INTEGER,
  exits = false,
  renumbers = false,
  alsoOnLo = false,
  ...options
}: SenderOptions): PodManifest {
  return nodePod(
    exits ? { ...options, spec: { ...options.spec, restartPolicy: 'Never' } } : options,
    `
    process.on('SIGTERM', () => {});
    const socket = require('node:dgram').createSocket('udp4');
    const started = performance.now();
    const first = ${renumbers} ? Math.floor(Date.now() / 1000) * 1e6 : 0;
    let next = 0;
    const self = require('node:dgram').createSocket('udp4').on('error', () => {});
    if (${alsoOnLo}) self.bind(${port}, '127.0.0.1');
    const send = (datagram) => {
      socket.send(datagram);
      if (${alsoOnLo}) self.send(datagram, ${port}, '127.0.0.1');
    };
    socket.on('error', () => {}).connect(${port}, '${to}', () => setInterval(() => {
      const due = Math.min(${count}, Math.floor((performance.now() - started) / 1000 * ${rate}));
      for (; next < due; next += 1) send(('seq=' + (first + next)).padEnd(${bytes}, '.'));
      if (${exits} && next === ${count}) socket.close(() => process.exit());
    }, 2));
  `,
  );
}

/**
 * A sender, and beside it the container `victim`, which does what a file tells it when that appears: it ends with exit
 * code 3 (/tmp/end, or /shared/loop, which is still there when it runs again), it takes all the memory that it may have
 * and more (/tmp/oom), or its probe fails (/tmp/unready).
 */
export function senderBesideVictim(options: SenderOptions): PodManifest {
  const { metadata, spec } = sender(options);
  const containers = 'containers' in spec && Array.isArray(spec.containers) ? spec.containers : [];
  const script = `
    until [ -e /tmp/end ] || [ -e /shared/loop ] || [ -e /tmp/oom ]; do sleep 0.05; done
    [ -e /tmp/oom ] && exec node -e 'const all = []; for (;;) all.push(Buffer.alloc(1e7, 1))'
    exit 3`;
  const victim = {
    ...container('victim', bash(script)),
    resources: { limits: { memory: '100Mi' } },
    readinessProbe: {
      exec: { command: bash('[ ! -e /tmp/unready ]') },
      periodSeconds: 1,
      failureThreshold: 1,
    },
    volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
  };
  const volumes = [{ name: 'shared', emptyDir: {} }];
  return { metadata, spec: { ...spec, containers: [...containers, victim], volumes } };
}

/**
 * Sends datagrams 0, 1 and 2 the moment its first container starts, and a last one after 5 s, when it is surely
 * captured. With an init container that one is the first, and the main container sends 3, 4 and 5 when it starts.
 */
export function startupSender({
  to,
  withInit,
  ...options
}: PodOptions & { readonly to: string; readonly withInit: boolean }): PodManifest {
  const open = `exec 3>/dev/udp/${to}/${receiverPort};`;
  const [first, last] = withInit ? [send(3, 4, 5), send(6)] : [send(0, 1, 2), send(3)];
  return pod(options, {
    ...(withInit && { initContainers: [container('first', bash(`${open} ${send(0, 1, 2)}`))] }),
    containers: [container('main', bash(`${open} ${first} sleep 5; ${last} exec sleep infinity`))],
  });
}

/** Sends a numbered datagram every second from its start on; light enough for many at a time. */
export function ticker({ to, ...options }: PodOptions & { readonly to: string }): PodManifest {
  const script = `exec 3>/dev/udp/${to}/${receiverPort}; for ((n = 0; ; n++)); do echo seq=$n >&3; sleep 1; done`;
  return pod(options, { containers: [container('main', bash(script))] });
}

/** For bash, whose descriptor 3 is the socket. */
function send(...numbers: readonly number[]): string {
  return numbers.map((n) => `echo seq=${n} >&3;`).join(' ');
}

function bash(script: string): string[] {
  return ['bash', '-c', script];
}

function nodePod(options: PodOptions, script: string): PodManifest {
  return pod(options, { containers: [container('main', ['node', '-e', script])] });
}

function container(name: string, command: readonly string[]) {
  return { name, image: 'podcap:latest', imagePullPolicy: 'IfNotPresent', command };
}

function pod(
  { name, node, annotation, annotations, labels, spec: more }: PodOptions,
  spec: object,
): PodManifest {
  return {
    metadata: {
      name,
      ...(labels && { labels }),
      annotations: { ...annotations, ...(annotation !== undefined && { [captureAnnotation]: annotation }) },
    },
    spec: {
      terminationGracePeriodSeconds: 1,
      enableServiceLinks: false,
      automountServiceAccountToken: false,
      ...(node !== undefined && { nodeName: node }),
      ...spec,
      ...more,
    },
  };
}
