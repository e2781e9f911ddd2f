import { annotationRules, mostLimits } from '../../agent/planner/annotations.ts';
import { policyFields } from '../../agent/planner/policy-fields.ts';
import type { LabelSelector } from '../../kubernetes/label-selector.ts';
import type { WantedCapture } from './wanted-capture.ts';

/** What is selected, as a CapturePolicy has it. */
export type PolicySelectorFields = {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
};

/** The spec of a policy. */
export type PolicySpec = Readonly<Record<string, unknown>> & { readonly selector: PolicySelectorFields };

/** The spec that asks for the same as the annotations, of all Pods that are selected. `expires`: RFC 3339. */
export function policySpec(
  { annotations }: Pick<WantedCapture, 'annotations'>,
  { selector, expires }: { readonly selector: LabelSelector; readonly expires: string | undefined },
): PolicySpec {
  const rules = annotationRules(mostLimits);
  const fields = policyFields(mostLimits);
  const converted = [
    [fields.files, rules.files, asNumber],
    [fields.fileMegabytes, rules.fileMegabytes, asNumber],
    [fields.interfaces, rules.interfaces, asList],
    [fields.filter, rules.filter, asText],
    [fields.snaplen, rules.snaplen, asNumber],
    [fields.duration, rules.duration, asText],
    [fields.freezeOn, rules.freezeOn, asList],
    [fields.freezeAfter, rules.freezeAfter, asText],
  ] as const;
  const given = converted.flatMap(([{ field }, { key }, convert]) => {
    const text = annotations[key];
    return text === undefined ? [] : [[field, convert(text)] as const];
  });
  return {
    selector: selectorFields(selector),
    ...Object.fromEntries(given),
    ...(expires !== undefined && { [fields.expires.field]: expires }),
  };
}

function asNumber(text: string): number {
  return Number(text);
}

function asList(text: string): readonly string[] {
  return text.split(',');
}

function asText(text: string): string {
  return text;
}

/** Labels with one value each, and what remains as expressions. */
export function selectorFields(selector: LabelSelector): PolicySelectorFields {
  const labels: Record<string, string> = {};
  const expressions: NonNullable<PolicySelectorFields['matchExpressions']>[number][] = [];
  for (const { key, operator, values } of selector) {
    const [value, ...others] = values;
    if (operator === 'In' && value !== undefined && others.length === 0 && !Object.hasOwn(labels, key)) {
      labels[key] = value;
    } else {
      expressions.push({ key, operator, ...(values.size > 0 && { values: [...values] }) });
    }
  }
  return {
    ...((selector.length === 0 || Object.keys(labels).length > 0) && { matchLabels: labels }),
    ...(expressions.length > 0 && { matchExpressions: expressions }),
  };
}
