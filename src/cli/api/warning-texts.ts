import { plainText } from '../../base/plain-text.ts';

/** The texts of Warning headers with code 299 (RFC 7234, 5.5), which is what Kubernetes sends. */
export function warningTexts(headers: readonly string[]): string[] {
  return headers.flatMap((header) =>
    [...header.matchAll(/\b299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) =>
      plainText(text.replaceAll(/\\(.)/g, '$1')),
    ),
  );
}
