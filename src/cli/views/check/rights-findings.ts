import { apiGroup } from '../../../api/capture.ts';
import { type AccessQuestion, isAllowed } from '../../api/access-review.ts';
import type { Cluster } from '../../api/cluster.ts';
import type { Finding } from './finding.ts';

/** What the user may do in the namespace (undefined: in all), a line for each command. */
export async function rightsFindings(
  cluster: Cluster,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const answers = await Promise.all(
    rights.map((right) =>
      Promise.all(
        right.questions.map(async (question) => ({
          ...question,
          allowed: await isAllowed(cluster, { group: apiGroup, namespace, ...question }, signal),
        })),
      ),
    ),
  );
  const given = rights.map((right, at) => ({ right, answers: answers[at] ?? [] }));
  return rightFindings(given, namespace);
}

type RightQuestion = Pick<AccessQuestion, 'verb' | 'resource'> &
  Partial<Pick<AccessQuestion, 'group' | 'subresource'>>;

/** What a command needs. */
export type Right = {
  readonly command: string;
  readonly questions: readonly RightQuestion[];
  /** What to do without it; undefined: nothing else is needed. */
  readonly without: string;
  /** Any one of those that have the same is enough. */
  readonly alternative?: 'start';
  readonly isOptional?: true;
};

export type GivenRight = {
  readonly right: Right;
  readonly answers: readonly (RightQuestion & { readonly allowed: boolean })[];
};

export const rights: readonly Right[] = [
  {
    command: 'list',
    questions: ['get', 'list', 'watch'].map((verb) => ({ verb, resource: 'captures' })),
    without: asked('view'),
  },
  {
    command: 'save',
    questions: [
      { verb: 'download', resource: 'captures' },
      { verb: 'get', resource: 'captures', subresource: 'log' },
    ],
    without: asked('download'),
  },
  {
    command: 'live',
    questions: [
      { verb: 'tap', resource: 'captures' },
      { verb: 'get', resource: 'captures', subresource: 'attach' },
    ],
    without: asked('tap'),
  },
  {
    command: 'start',
    questions: [{ verb: 'patch', resource: 'pods', group: '' }],
    without: 'ask an administrator for that, or for create on capturepolicies.policy.podcap.dev',
    alternative: 'start',
  },
  {
    command: 'start --policy',
    questions: [{ verb: 'create', resource: 'capturepolicies', group: 'policy.podcap.dev' }],
    without: 'ask an administrator for that, or for patch on pods',
    alternative: 'start',
  },
  {
    command: 'kubectl delete',
    questions: [{ verb: 'delete', resource: 'captures' }],
    without: 'the files of Pods that are gone go by themselves after their retention time',
    isOptional: true,
  },
];

function asked(role: string): string {
  return `ask an administrator to bind ClusterRole podcap-${role} to you there`;
}

/** Pure. */
export function rightFindings(
  given: readonly GivenRight[],
  namespace: string | undefined,
): readonly Finding[] {
  const where = namespace === undefined ? 'in all namespaces' : `in namespace ${namespace}`;
  const isGiven = ({ answers }: GivenRight) => answers.every(({ allowed }) => allowed);
  return given.map((each): Finding => {
    const { right, answers } = each;
    const subject = right.command;
    if (isGiven(each)) return { status: 'ok', subject, text: `you may ${wordsOf(answers)} ${where}` };
    const missing = wordsOf(answers.filter(({ allowed }) => !allowed));
    const other = given.find(
      (another) =>
        another !== each &&
        right.alternative !== undefined &&
        another.right.alternative === right.alternative,
    );
    if (other !== undefined && isGiven(other))
      return { status: 'note', subject, text: `you may not ${missing} ${where}: use ${other.right.command}` };
    return {
      status: right.isOptional ? 'note' : 'fix',
      subject,
      text: `you may not ${missing} ${where}: ${right.without}`,
    };
  });
}

/** "get, list, watch captures", "download captures, get captures/log". */
function wordsOf(questions: readonly RightQuestion[]): string {
  const verbsOf = Map.groupBy(questions, ({ resource, subresource, group }) => {
    const name = subresource === undefined ? resource : `${resource}/${subresource}`;
    return group === undefined || group === '' ? name : `${name}.${group}`;
  });
  return [...verbsOf]
    .map(([resource, each]) => `${each.map(({ verb }) => verb).join(', ')} ${resource}`)
    .join(', ');
}
