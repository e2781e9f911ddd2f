import { captureAnnotation } from '../../src/agent/planner/annotations.ts';

/** The Pods of the tests; all of the project's own image, which every Node has. */

export type PodOptions = {
  readonly name: string;
  readonly node?: string;
  /** How many files are kept. */
  readonly annotation?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** More of the Pod's spec. */
  readonly spec?: object;
};

export type SenderOptions = PodOptions & {
  /** The receiver's address. */
  readonly to: string;
  readonly port?: number;
  /** Datagrams per second. */
  readonly rate: number;
  /** Payload bytes of each. */
  readonly bytes: number;
  /** After so many it falls silent; without it, it goes on until its network is gone. */
  readonly count?: number;
  /** After the last it does not fall silent: the Pod has succeeded. */
  readonly exits?: boolean;
  /** Each start of the container numbers from a million of its own, that of its second. */
  readonly renumbers?: boolean;
};

/** Where a receiver listens. */
export const receiverPort = 9000;

/** Listens for numbered datagrams and tells by HTTP which was the last. */
export function receiver(options: PodOptions) {
  return nodePod(
    options,
    `
    let last = -1, count = 0;
    require('node:dgram').createSocket('udp4')
      .on('message', (message) => { last = Number(/^seq=(\\d+)/.exec(message.toString('latin1', 0, 24))?.[1]); count += 1; })
      .bind(${receiverPort});
    require('node:http').createServer((_, response) => response.end(JSON.stringify({ last, count }))).listen(8080);
  `,
  );
}

/** Does nothing, and sends nothing. Deaf to TERM as every pid 1 without a handler, so it lives until it is killed. */
export function idle(options: PodOptions) {
  return pod(options, { containers: [container('main', ['sleep', 'infinity'])] });
}

/** Sends numbered datagrams; deaf to TERM, so that it does not stop before its network does. */
export function sender({
  to,
  port = receiverPort,
  rate,
  bytes,
  count = Number.MAX_SAFE_INTEGER,
  exits = false,
  renumbers = false,
  ...options
}: SenderOptions) {
  return nodePod(
    exits ? { ...options, spec: { ...options.spec, restartPolicy: 'Never' } } : options,
    `
    process.on('SIGTERM', () => {});
    const socket = require('node:dgram').createSocket('udp4');
    const started = performance.now();
    const first = ${renumbers} ? Math.floor(Date.now() / 1000) * 1e6 : 0;
    let next = 0;
    socket.on('error', () => {}).connect(${port}, '${to}', () => setInterval(() => {
      const due = Math.min(${count}, Math.floor((performance.now() - started) / 1000 * ${rate}));
      for (; next < due; next += 1) socket.send(('seq=' + (first + next)).padEnd(${bytes}, '.'));
      if (${exits} && next === ${count}) socket.close(() => process.exit());
    }, 2));
  `,
  );
}

/** Sends a few numbered datagrams the moment that its first container starts, and a last one when it is surely captured. */
export function firstWords({
  to,
  withInit,
  ...options
}: PodOptions & { readonly to: string; readonly withInit: boolean }) {
  const send = (...numbers: readonly number[]) => {
    return [
      'bash',
      '-c',
      `exec 3>/dev/udp/${to}/${receiverPort}; ${numbers.map((n) => `echo seq=${n} >&3;`).join(' ')}`,
    ];
  };
  const [bash = '', flag = '', last = ''] = withInit ? send(3, 4, 5) : send(0, 1, 2);
  const later = withInit ? 6 : 3;
  return pod(options, {
    ...(withInit && { initContainers: [container('first', send(0, 1, 2))] }),
    containers: [
      container('main', [bash, flag, `${last} sleep 5; echo seq=${later} >&3; exec sleep infinity`]),
    ],
  });
}

/** Sends a numbered datagram a second from its start on; light enough for many at a time. */
export function ticker({ to, ...options }: PodOptions & { readonly to: string }) {
  const script = `exec 3>/dev/udp/${to}/${receiverPort}; for ((n = 0; ; n++)); do echo seq=$n >&3; sleep 1; done`;
  return pod(options, { containers: [container('main', ['bash', '-c', script])] });
}

function nodePod(options: PodOptions, script: string) {
  return pod(options, { containers: [container('main', ['node', '-e', script])] });
}

function container(name: string, command: readonly string[]) {
  return { name, image: 'podcap:latest', imagePullPolicy: 'IfNotPresent', command };
}

function pod({ name, node, annotation, annotations, spec: more }: PodOptions, spec: object) {
  return {
    metadata: {
      name,
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
