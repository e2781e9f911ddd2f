import { holds, isLabelKey, isLabelValue, type LabelRequirement, labelOf } from './label-requirement.ts';

/** All of them hold for an object that is selected. */
export type LabelSelector = readonly LabelRequirement[];

/** Why a text is no selector. */
export type SelectorProblem = { readonly kind: 'problem'; readonly message: string };

const labelSelectorBounds = { textBytes: 8_192, requirements: 64, values: 256 } as const;

/**
 * Parses a labelSelector in the grammar of apimachinery (labels.Parse), but for `<` and `>`: `a=b`, `a==b`, `a!=b`,
 * `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, separated by commas.
 */
export function parseLabelSelector(text: string): LabelSelector | SelectorProblem {
  if (text.length > labelSelectorBounds.textBytes) {
    return problem(`it is longer than ${labelSelectorBounds.textBytes} bytes`);
  }
  if (text.trim() === '') return [];
  const requirements: LabelRequirement[] = [];
  for (const term of termsOf(text)) {
    const requirement = parseTerm(term.trim());
    if (typeof requirement === 'string') return problem(requirement);
    requirements.push(requirement);
  }
  const { requirements: most } = labelSelectorBounds;
  return requirements.length > most ? problem(`it has more than ${most} terms`) : requirements;
}

/** Whether an object with these labels is selected. */
export function selectsLabels(
  selector: LabelSelector,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  return selector.every((requirement) => holds(requirement, labelOf(labels ?? {}, requirement.key)));
}

function problem(message: string): SelectorProblem {
  return { kind: 'problem', message };
}

/** Commas in parentheses separate values, not terms. */
function termsOf(text: string): readonly string[] {
  const terms: string[] = [];
  let [start, isInside] = [0, false];
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '(') isInside = true;
    else if (character === ')') isInside = false;
    else if (character === ',' && !isInside) {
      terms.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...terms, text.slice(start)];
}

/** A term, or what is wrong with it. */
function parseTerm(term: string): LabelRequirement | string {
  const set = /^([^\s=!(),]+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(term);
  if (set) {
    const [, key = '', operator, values = ''] = set;
    return makeRequirement(key, operator === 'in' ? 'In' : 'NotIn', values.split(','));
  }
  const equality = /^([^\s=!(),]+)\s*(==|=|!=)\s*([^\s=!(),]*)$/.exec(term);
  if (equality) {
    const [, key = '', operator, value = ''] = equality;
    return makeRequirement(key, operator === '!=' ? 'NotIn' : 'In', [value]);
  }
  const [, negation, key] = /^(!?)\s*([^\s=!(),]+)$/.exec(term) ?? [];
  if (key !== undefined) return makeRequirement(key, negation === '!' ? 'DoesNotExist' : 'Exists', []);
  return 'a term is none of: a=b, a!=b, a in (b,c), a notin (b,c), a, !a';
}

function makeRequirement(
  key: string,
  operator: LabelRequirement['operator'],
  valueTexts: readonly string[],
): LabelRequirement | string {
  const values = valueTexts.map((value) => value.trim());
  if (!isLabelKey(key)) return 'a key is not a valid one of a label';
  if (!values.every(isLabelValue)) return 'a value is not a valid one of a label';
  if (values.length > labelSelectorBounds.values) return 'a term has too many values';
  return { key, operator, values: new Set(values) };
}
