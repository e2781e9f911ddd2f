import { createHash } from 'node:crypto';
import { apiGroup, apiVersion } from '../../api/capture.ts';
import { type CaptureField, captureObjects } from './capture-fields.ts';

/** `/openapi/v3/apis/podcap.dev/v1alpha1`: what `kubectl explain` reads. */
export function openApiDocument(): object {
  return {
    openapi: '3.0.0',
    info: { title: 'Podcap', version: apiVersion },
    paths: {
      [`/apis/${apiVersion}/captures`]: operation('list', 'CaptureList', 'list captures of all namespaces'),
      [`/apis/${apiVersion}/namespaces/{namespace}/captures`]: {
        ...operation('list', 'CaptureList', 'list captures of a namespace'),
        parameters: [pathParameter('namespace')],
      },
      [`/apis/${apiVersion}/namespaces/{namespace}/captures/{name}`]: {
        ...operation('get', 'Capture', 'read a capture'),
        parameters: [pathParameter('namespace'), pathParameter('name')],
      },
    },
    components: { schemas: { ...captureSchemas(), [schemaName('CaptureList')]: listSchema } },
  };
}

/** `/openapi/v3`: where the document is. The hash changes with it, so that clients may keep it. */
export function openApiRoot(hash: string): object {
  return { paths: { [`apis/${apiVersion}`]: { serverRelativeURL: openApiUrl(hash) } } };
}

/** The URL of the document with that hash. */
export function openApiUrl(hash: string): string {
  return `/openapi/v3/apis/${apiVersion}?hash=${hash}`;
}

/** SHA-512 in upper-case hexadecimal, as the API server writes hashes of documents. */
export function documentHash(text: string): string {
  return createHash('sha512').update(text).digest('hex').toUpperCase();
}

const version = apiVersion.slice(apiGroup.length + 1);

/** As kube-apiserver names the schemas of a custom resource: the domain in reverse. */
function schemaName(kind: string): string {
  return `${apiGroup.split('.').toReversed().join('.')}.${version}.${kind}`;
}

function operation(action: 'get' | 'list', kind: string, description: string): object {
  return {
    get: {
      description,
      operationId: `${action}${kind}`,
      responses: {
        200: {
          description: 'OK',
          content: { 'application/json': { schema: reference(kind) } },
        },
      },
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': groupVersionKind('Capture'),
    },
  };
}

function pathParameter(name: string): object {
  return { name, in: 'path', required: true, schema: { type: 'string' } };
}

function groupVersionKind(kind: string): object {
  return { group: apiGroup, version, kind };
}

function reference(kind: string): object {
  return { $ref: `#/components/schemas/${schemaName(kind)}` };
}

function captureSchemas(): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries(captureObjects).map(([name, { description, fields }]) => [
      schemaName(name),
      {
        description,
        type: 'object',
        required: Object.keys(fields).filter((field) => !fields[field]?.isOptional),
        properties: Object.fromEntries(
          Object.entries(fields).map(([field, each]) => [field, fieldSchema(each)]),
        ),
        ...(name === 'Capture' && { 'x-kubernetes-group-version-kind': [groupVersionKind('Capture')] }),
      },
    ]),
  );
}

function fieldSchema({ description, schema }: CaptureField): object {
  switch (schema.type) {
    case 'string':
    case 'integer':
    case 'number':
    case 'boolean':
      return { description, ...schema };
    case 'stringArray':
      return { description, type: 'array', items: { type: 'string' } };
    case 'stringMap':
      return { description, type: 'object', additionalProperties: { type: 'string' } };
    case 'object':
      // A description beside a $ref is ignored: hence allOf.
      return { description, allOf: [reference(schema.object)] };
    case 'objectArray':
      return { description, type: 'array', items: { allOf: [reference(schema.object)] } };
  }
}

const listSchema = {
  description: 'CaptureList is a list of captures.',
  type: 'object',
  required: ['items'],
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object', properties: { resourceVersion: { type: 'string' } } },
    items: { type: 'array', items: reference('Capture') },
  },
  'x-kubernetes-group-version-kind': [groupVersionKind('CaptureList')],
};
