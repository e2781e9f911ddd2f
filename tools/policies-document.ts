import type { RequestLimits } from '../src/agent/planner/annotations.ts';
import { policyFields } from '../src/agent/planner/policy-fields.ts';
import { table } from './markdown-table.ts';

/** docs/policies.md, with the fields of the agent. */
export function policiesDocument(limits: RequestLimits, generated: string): string {
  const rows = Object.values(policyFields(limits)).map(({ field, allowed, effect }) => [
    `\`${field}\`${field === 'files' ? ' (required)' : ''}`,
    allowed,
    effect,
  ]);
  return `# Capture policies

${generated}

A \`CapturePolicy\` captures every Pod of its namespace that it selects by its labels, without a change of the Pods or of what creates them. Pods that a rollout creates are captured from their first packet.

\`\`\`yaml
apiVersion: policy.podcap.dev/v1alpha1
kind: CapturePolicy
metadata:
  name: web-crashes
spec:
  selector:
    matchLabels: { app: web }
  files: 5
  fileSize: 10
  freezeOn: [restart, oom-killed]
\`\`\`

\`\`\`console
$ kubectl apply -f deploy/examples/crash-policy.yaml
$ kubectl get capturepolicies
NAME          SELECTOR                        FILES   AGE
web-crashes   {"matchLabels":{"app":"web"}}   5       9s
$ kubectl describe pod -l app=web
\`\`\`

[\`kubectl podcap start deployment/web --policy web-crashes --files 5\`](cli.md#kubectl-podcap-start) creates a policy with the selector of a Deployment, and prints what the agents answer. It expires after a day unless \`--expires\` says otherwise.

The CRD is part of the chart (\`crds.install\`) and of deploy/podcap.yaml. A policy has no status: the Events of each Pod say what came of it.

## Fields

The upper bounds of \`files\` and \`fileSize\` are the defaults of \`--max-files\` and \`--max-file-megabytes\` ([settings](settings.md)). Every field means what the [annotation](annotations.md) means.

${table(['field of spec', 'allowed', 'effect'], [['`selector` (required)', '`matchLabels` and `matchExpressions` with In, NotIn, Exists and DoesNotExist, as in a Deployment, at least one of the two; at most 32 labels, and 8 expressions of 16 values', 'the Pods of the namespace that are captured; `matchLabels: {}` selects all of them'], ...rows])}

A selector without \`matchLabels\` and \`matchExpressions\` is refused: the API server drops a misspelled field if the client does not validate, and what remains must not select every Pod.

A Pod with more than 32 KiB of labels is selected by \`matchLabels: {}\` alone. On the host network, a selected Pod is refused, with an Event.

## Which request applies

- **The annotation \`tcpdump.antrea.io\` of a Pod replaces every policy as a whole**, also with a value that is refused.
- **Of several policies, the oldest applies**, and of the same second the first by name. If it is refused, the Pod is refused (\`InvalidPolicy\`), and the next policy does not apply.
- A policy that has expired, even one that is refused, or that is being deleted, selects no Pod.
- A policy with a field that the agent does not know, as from a newer CRD, is refused. One with a selector that it cannot read selects no Pod, and the agent logs it.
- **Of a namespace, the oldest 1,000 policies count**, also those that have expired. A Pod that only later ones select is not captured, and each agent says so in its log, once for the namespace. A ResourceQuota (\`count/capturepolicies.policy.podcap.dev\`) sets a lower bound.
- \`podcap.dev/freeze\` freezes the ring of a Pod, whatever asks for its capture. The other annotations have no effect without \`tcpdump.antrea.io\`.

## When a policy changes

- **A changed field** takes effect at once, as a changed annotation does. No packet is lost.
- **When no policy selects a Pod any more**, its capture stops, with its last packets in a file. Its files stay for the retention time (\`--retention-seconds\`), are listed as ended (\`NotMatched\`), and are deleted then, after the agent has asked the API server once more. The causes: the Pod's labels or the policy changed, the policy expired or was deleted, or the CRD was deleted. A Pod that is being deleted, with a grace period of at most a minute, is captured to its end when its policy is deleted too. Files of ended Pods are evicted before them if another capture needs the space.
- **When a policy selects the Pod again**, capturing continues in the same folder.
- **When the annotation of a Pod is removed and a policy selects the Pod**, capturing goes on as the policy asks, and the files stay.

Uninstalling Podcap leaves the CRD and the policies. \`kubectl delete crd capturepolicies.policy.podcap.dev\` deletes both.

## Who may create policies

Kubernetes' RBAC decides, by the verbs \`create\`, \`update\` and \`patch\` on \`capturepolicies.policy.podcap.dev\`. Of the roles that Kubernetes has for users, only \`cluster-admin\` has them, and the chart adds them to none. So a user with the role \`view\`, \`edit\` or \`admin\` alone gets a 403, even for a list:

\`\`\`
Error from server (Forbidden): capturepolicies.policy.podcap.dev is forbidden: User "jane" cannot list resource "capturepolicies" in API group "policy.podcap.dev" in the namespace "shop"
\`\`\`

With \`edit\` or \`admin\`, they can [annotate](annotations.md) Pods and Pod templates instead. Or an administrator of the cluster grants the permission, in a namespace, or to everyone with the role \`edit\` or \`admin\`, wherever they have it:

\`\`\`console
$ kubectl create clusterrole podcap-policies --resource=capturepolicies.policy.podcap.dev --verb=get,list,watch,create,update,patch,delete
$ kubectl -n shop create rolebinding policies --clusterrole=podcap-policies --group=network-team       # in a namespace
$ kubectl label clusterrole podcap-policies rbac.authorization.k8s.io/aggregate-to-edit=true    # with edit or admin
\`\`\`

With \`admission.allowedUsers.enabled\`, creating a policy and changing its \`spec\` also need the permission to \`create captures.podcap.dev\` in the namespace, which the chart's ClusterRole \`podcap-capture\` has ([security](security.md#who-may-request-a-capture)).
`;
}
