import { readdir } from 'node:fs/promises';
import { runInNewContext } from 'node:vm';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const folder = new URL('./', import.meta.url).pathname;

test('the decoder runs in a browser: it imports nothing of Node.js and uses no global but TextDecoder', async () => {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const modules = names.map((name, i) => `import * as module${i} from './${name}';`);
  const used = `globalThis.used = [${names.map((_name, i) => `module${i}`).join(', ')}];`;
  // Fails if a module cannot be resolved for a browser, as those of Node.js cannot.
  const { outputFiles } = await build({
    stdin: {
      contents: `${modules.join('\n')}\n${used}\n${decodeOnePacket}`,
      resolveDir: folder,
      loader: 'ts',
    },
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    target: 'es2024',
  });
  const code = outputFiles[0]?.text ?? '';
  expect(code).not.toMatch(/\b(Buffer|process|require|setImmediate)\b/);
  const context = { TextDecoder, line: '' };
  runInNewContext(code, context);
  expect(context.line).toBe('00:00:01.000002 10.0.0.1:7 > 10.0.0.2:9 HTTP GET /\u00fc HTTP/1.1');
});

const decodeOnePacket = `
import { createDecoder } from './decoder.ts';
import { lineOf } from './packet-line.ts';
import { ack, ascii, ipv4, tcp } from '../testing/build-packets.ts';
const payload = tcp({ from: 7, to: 9, flags: ack, payload: new Uint8Array([71, 69, 84, 32, 47, 0xc3, 0xbc, 32, 72, 84, 84, 80, 47, 49, 46, 49, 13, 10]) });
const buffer = ipv4({ protocol: 6, payload });
const packet = { buffer, dataAt: 0, capturedBytes: buffer.length, originalBytes: buffer.length, interfaceIndex: 0 };
const options = { seconds: 1, nanoseconds: 2000, time: 'of-day', resolution: 'us', interfaceName: undefined };
globalThis.line = lineOf(createDecoder().decode(packet, 101), options);
`;
