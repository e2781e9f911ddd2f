import * as v from 'valibot';

/** What a selector requires of one label, in the words of matchExpressions. */
export type LabelRequirement = {
  readonly key: string;
  readonly operator: (typeof labelOperators)[number];
  readonly values: ReadonlySet<string>;
};

export const labelOperators = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

/** What Kubernetes allows as the key and the value of a label; the CRD has the same (deploy/chart/templates/_policy.tpl). */
export const labelKey = v.pipe(
  v.string(),
  v.maxLength(317),
  v.regex(
    /^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/,
  ),
);
export const labelValue = v.pipe(
  v.string(),
  v.maxLength(63),
  v.regex(/^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/),
);

export function isLabelKey(text: string): boolean {
  return v.is(labelKey, text);
}

export function isLabelValue(text: string): boolean {
  return v.is(labelValue, text);
}

/** The value of a label; not what every object inherits, such as `constructor`. */
export function labelOf(labels: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

/**
 * Whether the requirement holds for a label with this value, by the rules of apimachinery (labels.Requirement.Matches):
 * NotIn and DoesNotExist also hold without the label.
 */
export function holds(
  { operator, values }: Omit<LabelRequirement, 'key'>,
  value: string | undefined,
): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.has(value);
    case 'NotIn':
      return value === undefined || !values.has(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}
