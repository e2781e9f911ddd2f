import * as v from 'valibot';
import {
  holds,
  type LabelRequirement,
  labelKey,
  labelOf,
  labelOperators,
  labelValue,
} from '../../kubernetes/label-requirement.ts';
import { stringMap } from '../../kubernetes/string-map.ts';

/** Which Pods of its namespace a policy selects, as in a Deployment: all requirements hold; empty ones select every Pod. */
export type PolicySelector = {
  readonly labels: readonly (readonly [key: string, value: string])[];
  readonly expressions: readonly LabelRequirement[];
};

const valuesAllowed = 'In and NotIn need values, Exists and DoesNotExist have none';

/** Nobody selects by more: each agent of the cluster keeps every policy in memory. */
const [mostLabels, mostExpressions, mostValues] = [32, 8, 16];

const requirementSchema = v.strictObject(
  {
    key: labelKey,
    operator: v.picklist(labelOperators),
    values: v.nullish(v.pipe(v.array(labelValue), v.maxLength(mostValues)), []),
  },
  objectProblem,
);
type RequirementFields = v.InferOutput<typeof requirementSchema>;

/** An API server drops a misspelled field: what remains must not select every Pod. */
const emptyProblem =
  'must have matchLabels or matchExpressions; matchLabels: {} selects every Pod of the namespace';
const labelsProblem = 'must have at most 32 labels, and only valid ones';

/** The selector of a CapturePolicy; a problem names the field. */
export const selectorSchema = v.pipe(
  v.strictObject(
    {
      matchLabels: v.nullish(v.pipe(stringMap, v.check(areLabels, labelsProblem))),
      matchExpressions: v.nullish(
        v.pipe(
          v.array(v.pipe(requirementSchema, v.check(hasItsValues, valuesAllowed))),
          v.maxLength(mostExpressions),
        ),
      ),
    },
    objectProblem,
  ),
  v.check(({ matchLabels, matchExpressions }) => Boolean(matchLabels ?? matchExpressions), emptyProblem),
  v.transform(
    ({ matchLabels, matchExpressions }): PolicySelector => ({
      labels: Object.entries(matchLabels ?? {}),
      expressions: (matchExpressions ?? []).map((each) => ({ ...each, values: new Set(each.values) })),
    }),
  ),
);

/** A field that is not known, as of a newer CRD, may narrow what is selected: it is not ignored. */
function objectProblem({ expected, message }: v.StrictObjectIssue): string {
  return expected === 'never' ? 'is not a known field' : message;
}

function areLabels(labels: Readonly<Record<string, string>>): boolean {
  const entries = Object.entries(labels);
  return (
    entries.length <= mostLabels &&
    entries.every(([key, value]) => v.is(labelKey, key) && v.is(labelValue, value))
  );
}

function hasItsValues({ operator, values }: RequirementFields): boolean {
  return (operator === 'In' || operator === 'NotIn') === values.length > 0;
}

/**
 * Whether a Pod with these labels is selected. Of a Pod with too many labels (`undefined`), nothing is known of any
 * label.
 */
export function selects(
  selector: PolicySelector,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  if (!labels) return selector.labels.length + selector.expressions.length === 0;
  return (
    selector.labels.every(([key, value]) => labelOf(labels, key) === value) &&
    selector.expressions.every((requirement) => holds(requirement, labelOf(labels, requirement.key)))
  );
}
