import type { CaptureMetadata } from '../../api/capture.ts';
import { isCaptureName, isNamespace } from './request-path.ts';
import { type StatusError, statusError } from './status-error.ts';

/** What must be equal and what must not. All of it holds for a capture that is selected. */
export type FieldSelector = readonly FieldRequirement[];

type FieldRequirement = {
  readonly field: (typeof selectableFields)[number];
  readonly isEqual: boolean;
  readonly value: string;
};

const selectableFields = ['metadata.name', 'metadata.namespace'] as const;
const fieldSelectorBounds = { textBytes: 2_048, requirements: 16 } as const;

/** Parses a fieldSelector: `metadata.name=web,metadata.namespace!=kube-system`. */
export function parseFieldSelector(text: string): FieldSelector | StatusError {
  if (text === '') return [];
  const parts = text.split(',');
  const { textBytes, requirements: most } = fieldSelectorBounds;
  if (text.length > textBytes || parts.length > most) {
    return statusError('BadRequest', `fieldSelector is longer than ${textBytes} bytes or ${most} terms`);
  }
  const requirements: FieldRequirement[] = [];
  for (const part of parts) {
    const [, name = '', operator, value = ''] = /^\s*([^=!\s]*)\s*(==|=|!=)\s*(.*?)\s*$/.exec(part) ?? [];
    if (operator === undefined) {
      return statusError('BadRequest', 'fieldSelector must consist of terms such as metadata.name=web');
    }
    const field = selectableFields.find((each) => each === name);
    if (field === undefined) {
      return statusError('BadRequest', `fieldSelector supports only ${selectableFields.join(' and ')}`);
    }
    if (value !== '' && !(field === 'metadata.name' ? isCaptureName : isNamespace)(value)) {
      return statusError('BadRequest', `fieldSelector: no object can have this ${field}`);
    }
    requirements.push({ field, isEqual: operator !== '!=', value });
  }
  return requirements;
}

/** Whether a capture with this metadata is selected. */
export function selectsFields(
  selector: FieldSelector,
  { name, namespace }: Pick<CaptureMetadata, 'name' | 'namespace'>,
): boolean {
  return selector.every(
    ({ field, isEqual, value }) => ((field === 'metadata.name' ? name : namespace) === value) === isEqual,
  );
}

/** The one name that a selector allows, if it does: as kube-apiserver, which authorizes by it. */
export function selectedName(selector: FieldSelector): string | undefined {
  return selector.find(({ field, isEqual, value }) => field === 'metadata.name' && isEqual && value !== '')
    ?.value;
}
