import * as v from 'valibot';
import { expect, test } from 'vitest';
import { capturePhases } from '../../api/capture.ts';
import { captureObjects } from './capture-fields.ts';
import { openApiDocument } from './openapi.ts';

const schema = v.looseObject({
  description: v.optional(v.string()),
  required: v.optional(v.array(v.string())),
  properties: v.optional(v.record(v.string(), v.looseObject({ description: v.optional(v.string()) })), {}),
});
const { paths, components } = v.parse(
  v.object({
    paths: v.record(v.string(), v.looseObject({ get: v.looseObject({}) })),
    components: v.object({ schemas: v.record(v.string(), schema) }),
  }),
  openApiDocument(),
);
const ours = Object.entries(components.schemas).filter(([name]) => !name.endsWith('CaptureList'));

test('every reference leads to a schema', () => {
  const references = [...JSON.stringify(openApiDocument()).matchAll(/"#\/components\/schemas\/([^"]*)"/g)];
  expect(references.length).toBeGreaterThan(8);
  for (const [, name = ''] of references) expect(Object.keys(components.schemas)).toContain(name);
});

test('kubectl explain finds the kind by the paths of the resource', () => {
  const kind = { group: 'podcap.dev', version: 'v1alpha1', kind: 'Capture' };
  expect(paths['/apis/podcap.dev/v1alpha1/namespaces/{namespace}/captures/{name}']?.get).toMatchObject({
    'x-kubernetes-group-version-kind': kind,
  });
  expect(paths['/apis/podcap.dev/v1alpha1/captures']?.get).toMatchObject({
    'x-kubernetes-group-version-kind': kind,
  });
  expect(components.schemas['dev.podcap.v1alpha1.Capture']).toMatchObject({
    'x-kubernetes-group-version-kind': [kind],
  });
});

test.each(ours)(
  '%s describes itself and each of its fields in a sentence',
  (_, { description, properties }) => {
    expect(description).toMatch(/^[A-Z].*[.]$/);
    expect(Object.keys(properties).length).toBeGreaterThan(0);
    for (const field of Object.values(properties)) expect(field.description).toMatch(/^[A-Z].*[.]$/s);
  },
);

const fields = Object.values(captureObjects).flatMap((object) => Object.values(object.fields));

test('numbers say their unit', () => {
  const numbers = fields.filter(({ schema: { type } }) => type === 'integer' || type === 'number');
  expect(numbers.length).toBeGreaterThan(10);
  for (const { description } of numbers) {
    expect(description).toMatch(/in bytes|[Nn]umber of|in megabytes|in seconds/);
  }
});

test('times say their format', () => {
  const times = fields.filter(({ schema: each }) => 'format' in each && each.format === 'date-time');
  expect(times.length).toBeGreaterThan(4);
  for (const { description } of times) expect(description).toMatch(/RFC 3339/);
});

test('every phase is explained', () => {
  const { phase } = captureObjects.CaptureRecording.fields;
  for (const each of capturePhases) expect(phase?.description).toContain(`${each}: `);
});

test('what may be left out is not required', () => {
  const recording = components.schemas['dev.podcap.v1alpha1.CaptureRecording'];
  expect(recording?.required).toContain('bytes');
  expect(recording?.required).not.toContain('packets');
});
