import type { IncomingMessage, ServerResponse } from 'node:http';
import { acceptedRanges, includesJson } from './accept-header.ts';
import { commonHeaders, sendError } from './api-response.ts';
import { groupDocument, groupsDocument, resourcesDocument, type StaticDocument } from './discovery.ts';
import { documentHash, openApiDocument, openApiRoot, openApiUrl } from './openapi.ts';
import { statusError } from './status-error.ts';

/** Answers what does not depend on captures, from memory: before any agent is connected, and for anyone. */
export type StaticDocuments = {
  readonly groups: DocumentAnswer;
  readonly group: DocumentAnswer;
  readonly resources: DocumentAnswer;
  readonly openApiRoot: DocumentAnswer;
  readonly openApiDocument: DocumentAnswer;
  readonly version: DocumentAnswer;
};

type DocumentAnswer = (exchange: DocumentExchange) => void;

type DocumentExchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The parameter hash of the query. */
  readonly hash: string | undefined;
};

/** Prepares the documents once. `version` is that of the program. */
export function staticDocuments(version: string): StaticDocuments {
  const openApi = prepared({ contentType: 'application/json', body: openApiDocument() });
  const groups = new Map<StaticDocument, PreparedDocument>();
  return {
    groups({ request, response }) {
      const document = groupsDocument(request.headers.accept);
      if (!document) {
        notAcceptable(response);
        return;
      }
      const known = groups.get(document) ?? prepared(document);
      groups.set(document, known);
      send(request, response, known);
    },
    group: plain(groupDocument),
    resources: plain(resourcesDocument),
    openApiRoot: plain({ contentType: 'application/json', body: openApiRoot(openApi.hash) }),
    openApiDocument({ request, response, hash }) {
      // As kube-openapi: a document that is asked for by another hash is not the one that the client means. kube-apiserver
      // passes no redirect of an aggregated API on: the client gets an error until it knows the new hash.
      if (hash === undefined || hash === '' || hash === openApi.hash) sendPlain(request, response, openApi);
      else {
        response.writeHead(301, { ...commonHeaders, location: openApiUrl(openApi.hash) });
        response.end();
      }
    },
    version: plain({ contentType: 'application/json', body: { gitVersion: version } }),
  };
}

type PreparedDocument = {
  readonly contentType: string;
  readonly bytes: Buffer;
  readonly hash: string;
};

function plain(document: StaticDocument): DocumentAnswer {
  const known = prepared(document);
  return ({ request, response }) => sendPlain(request, response, known);
}

function prepared({ contentType, body }: StaticDocument): PreparedDocument {
  const text = JSON.stringify(body);
  return { contentType, bytes: Buffer.from(text), hash: documentHash(text) };
}

/** A document that there is only as JSON. */
function sendPlain(request: IncomingMessage, response: ServerResponse, document: PreparedDocument): void {
  const ranges = acceptedRanges(request.headers.accept) ?? [];
  if (ranges.some(includesJson)) send(request, response, document);
  else notAcceptable(response);
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { contentType, bytes, hash }: PreparedDocument,
): void {
  const etag = `"${hash}"`;
  const headers = { ...commonHeaders, etag, vary: 'Accept' };
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers);
    response.end();
    return;
  }
  response.writeHead(200, { ...headers, 'content-type': contentType, 'content-length': bytes.length });
  response.end(bytes);
}

function notAcceptable(response: ServerResponse): void {
  sendError(
    response,
    statusError('NotAcceptable', 'this document is served as application/json: ask for it in Accept'),
  );
}
