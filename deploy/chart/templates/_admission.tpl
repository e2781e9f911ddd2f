{{/*
Every annotation, with what is allowed, in words and as a CEL expression of its `value`: the counterpart of
annotationRules in src/agent/planner/annotations.ts. end-to-end/admission-values.test.ts compares the answers of both.
*/}}
{{- define "podcap.annotationRules" -}}
{{- $maxFiles := include "podcap.maxFiles" . -}}
{{- $maxFileMegabytes := include "podcap.maxFileMegabytes" . -}}
- key: tcpdump.antrea.io
  allowed: a whole number of capture files from 1 to {{ $maxFiles }}
  rule: value.matches("^[0-9]{1,9}$") && int(value) >= 1 && int(value) <= {{ $maxFiles }}
- key: podcap.dev/file-size
  allowed: a whole number of megabytes from 1 to {{ $maxFileMegabytes }}
  rule: value.matches("^[0-9]{1,9}$") && int(value) >= 1 && int(value) <= {{ $maxFileMegabytes }}
- key: podcap.dev/interface
  allowed: the names of 1 to 4 interfaces of the Pod, such as eth0 or eth0,lo, but not 'any'
  rule: >-
    size(value) <= 63 && [value.split(",")].all(names, names.size() <= 4 && names.all(name,
    {{ include "podcap.interfaceNameRule" "name" }} &&
    names.exists_one(other, other == name)))
- key: podcap.dev/filter
  allowed: a pcap-filter(7) expression of 1 to 2048 bytes without control characters
  # \pZ and U+FEFF are what JavaScript trims, except control characters.
  rule: value.matches(r"[^\pZ\x{FEFF}]") && !value.matches(r"\p{Cc}") && size(bytes(value)) <= 2048
- key: podcap.dev/snaplen
  allowed: a whole number of bytes from 64 to 262144
  rule: value.matches("^[0-9]{1,9}$") && int(value) >= 64 && int(value) <= 262144
- key: podcap.dev/duration
  allowed: a duration from 1s to 168h, such as 90s, 10m or 1h30m
  rule: >-
    value.matches("^([0-9]{1,3}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$") && value != "" &&
    duration(value) >= duration("1s") && duration(value) <= duration("168h")
- key: podcap.dev/freeze-on
  allowed: one or more of restart, oom-killed, not-ready, failed, separated by commas
  rule: >-
    size(value) <= 63 && [value.split(",")].all(triggers, triggers.all(trigger,
    trigger in ["restart", "oom-killed", "not-ready", "failed"] && triggers.exists_one(other, other == trigger)))
- key: podcap.dev/freeze-after
  allowed: a duration from 1s to 10m, such as 5s or 1m30s
  rule: >-
    value.matches("^([0-9]{1,3}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$") && value != "" &&
    duration(value) >= duration("1s") && duration(value) <= duration("10m")
- key: podcap.dev/freeze
  allowed: a text of 1 to 253 bytes without control characters
  rule: value.matches(r"[^\pZ\x{FEFF}]") && !value.matches(r"\p{Cc}") && size(bytes(value)) <= 253
- key: podcap.dev/paused
  allowed: true or false
  rule: value in ["true", "false"]
{{- end -}}

{{/* The defaults of the agent, unless the values set others. */}}
{{- define "podcap.maxFiles" -}}{{ int64 (.Values.settings.maxFiles | default 100) }}{{- end -}}
{{- define "podcap.maxFileMegabytes" -}}{{ int64 (.Values.settings.maxFileMegabytes | default 100) }}{{- end -}}

{{/* CEL: whether the variable that the argument names is the name of an interface that can be captured. */}}
{{- define "podcap.interfaceNameRule" -}}
{{ . }}.matches("^[A-Za-z0-9][A-Za-z0-9@._-]{0,14}$") && {{ . }}.matches("[^0-9]") && {{ . }} != "any"
{{- end -}}

{{/* The rule of one annotation, for a field `self` of a CRD. Arguments: root and key. */}}
{{- define "podcap.fieldValidation" -}}
{{- $key := .key -}}
{{- range include "podcap.annotationRules" .root | fromYamlArray -}}
{{- if eq .key $key -}}
- rule: >-
    {{ regexReplaceAll "\\bvalue\\b" .rule "self" }}
  message: {{ printf "must be %s" .allowed | toJson }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "podcap.annotationKeys" -}}
{{- $keys := list -}}
{{- range include "podcap.annotationRules" . | fromYamlArray }}{{ $keys = append $keys .key }}{{ end -}}
{{- toJson $keys -}}
{{- end -}}

{{/* The keys that an annotation with Podcap's prefix may have. */}}
{{- define "podcap.optionKeys" -}}
{{- without (include "podcap.annotationKeys" . | fromJsonArray) "tcpdump.antrea.io" | toJson -}}
{{- end -}}

{{/* CEL: whether `key` has Podcap's prefix, in which the API server also allows upper case. */}}
{{- define "podcap.hasPrefix" -}}
key.lowerAscii().startsWith("podcap.dev/")
{{- end -}}

{{/* CEL: whether `key` is meant for Podcap, also if Podcap does not know it. */}}
{{- define "podcap.isForPodcap" -}}
(key == "tcpdump.antrea.io" || {{ include "podcap.hasPrefix" . }})
{{- end -}}

{{/*
The most entries of a map or a list that CEL goes through. The API server evaluates a loop in quadratic time: 46,000
annotations, which fit into one Pod, occupied it for more than 30 s. 500 take some milliseconds.
*/}}
{{- define "podcap.maxEntries" -}}500{{- end -}}

{{/*
CEL: the annotations that the Pods of `object` or `oldObject` have or will have. A CronJob has its template in
jobTemplate. A ControllerRevision has an earlier template of a StatefulSet or DaemonSet in data.
*/}}
{{- define "podcap.annotationsOf" -}}
(request.kind.kind in ["Pod", "Binding"] ? dyn({{ . }})
  : dyn({{ . }}).?spec.?jobTemplate.or(dyn({{ . }}).?data).orValue({{ . }}).?spec.?template.orValue({}))
  .?metadata.?annotations.orValue({})
{{- end -}}

{{- define "podcap.annotationsNow" -}}
{{ include "podcap.annotationsOf" "object" }}
{{- end -}}

{{- define "podcap.annotationsBefore" -}}
(request.operation == "CREATE" ? {} : {{ include "podcap.annotationsOf" "oldObject" }})
{{- end -}}

{{/* CEL: the annotations of `object` or `oldObject` that its Pods do not get: its own, and those of a CronJob's Jobs. */}}
{{- define "podcap.ownAnnotationsOf" -}}
[dyn({{ . }}), dyn({{ . }}).?spec.?jobTemplate.orValue({})].map(each, each.?metadata.?annotations.orValue({}))
{{- end -}}

{{- define "podcap.ownAnnotationsBefore" -}}
(request.operation == "CREATE" ? [{}, {}] : {{ include "podcap.ownAnnotationsOf" "oldObject" }})
{{- end -}}

{{/*
CEL: whether a person makes the request. ServiceAccounts, Nodes and the control plane have names that start with
`system:`, like the administrator of some distributions, who is in system:masters. What has a controller was created by
it, unless it is a Pod that existed before: people change annotations of those.
*/}}
{{- define "podcap.isByPerson" -}}
!(request.userInfo.username.startsWith("system:") &&
  !("system:masters" in request.userInfo.?groups.orValue([]))) &&
!((request.operation == "CREATE" || request.kind.kind != "Pod") &&
  {{ include "podcap.isControlled" . | indent 2 | trim }})
{{- end -}}

{{- define "podcap.isControlled" -}}
[object.metadata.?ownerReferences.orValue([])].exists(owners, owners.size() <= {{ include "podcap.maxEntries" . }} &&
  owners.exists(owner, owner.?controller.orValue(false)))
{{- end -}}

{{/* Templates of Pods, of the kinds that Kubernetes itself has. */}}
{{- define "podcap.templateRules" -}}
- apiGroups: [""]
  apiVersions: [v1]
  operations: [CREATE, UPDATE]
  resources: [replicationcontrollers]
- apiGroups: [apps]
  apiVersions: [v1]
  operations: [CREATE, UPDATE]
  resources: [deployments, replicasets, statefulsets, daemonsets, controllerrevisions]
- apiGroups: [batch]
  apiVersions: [v1]
  operations: [CREATE, UPDATE]
  resources: [jobs, cronjobs]
{{- end -}}

{{/*
Everything that can annotate a Pod: the Pod itself, a binding, whose annotations are copied to the Pod, and the
templates of Pods. The subresources ephemeralcontainers and resize cannot change annotations.
*/}}
{{- define "podcap.annotatingRequests" -}}
matchConstraints:
  resourceRules:
    - apiGroups: [""]
      apiVersions: [v1]
      operations: [CREATE, UPDATE]
      resources: [pods, pods/status, pods/binding, bindings]
    {{- include "podcap.templateRules" . | nindent 4 }}
{{- end -}}

{{/*
Nearly every request ends at this match condition, because it changes no annotation of Podcap. If there are too many to
search, any change counts.
*/}}
{{- define "podcap.changesCapture" -}}
- name: changes-a-capture
  expression: |-
    [{{ include "podcap.annotationsNow" . | indent 4 | trim }}].exists(now,
      [{{ include "podcap.annotationsBefore" . | indent 6 | trim }}].exists(before,
        now.size() + before.size() > {{ include "podcap.maxEntries" . }} ? now != before :
          now.exists(key, {{ include "podcap.isForPodcap" . }} && now[?key] != before[?key]) ||
          before.exists(key, {{ include "podcap.isForPodcap" . }} && !(key in now))))
{{- end -}}

{{/* CEL: the keys of Podcap that change in one of the places of podcap.ownAnnotationsOf, and not in the template. */}}
{{- define "podcap.misplacedAt" -}}
(variables.ownNow[{{ . }}].size() > {{ include "podcap.maxEntries" . }} ? [] :
  variables.ownNow[{{ . }}].filter(key, {{ include "podcap.isForPodcap" . }} &&
  variables.ownNow[{{ . }}][?key] != variables.ownBefore[{{ . }}][?key] && !(key in variables.now)))
{{- end -}}

{{/* The variables of a policy that checks the annotations that the Pods of `object` have or will have. */}}
{{- define "podcap.annotationVariables" -}}
- name: now
  expression: |-
    {{- include "podcap.annotationsNow" . | nindent 4 }}
- name: before
  expression: |-
    {{- include "podcap.annotationsBefore" . | nindent 4 }}
# Unchanged values are not checked, so that a Pod with a bad one can still be labeled, updated and deleted.
- name: given
  expression: |-
    {{ include "podcap.annotationKeys" . }}.filter(key,
      key in variables.now && variables.now[?key] != variables.before[?key])
- name: startsCapture
  expression: |-
    "tcpdump.antrea.io" in variables.now && !("tcpdump.antrea.io" in variables.before)
# An unchanged one had no effect before, but has one on a capture that starts.
- name: unknown
  expression: |-
    variables.now.size() > {{ include "podcap.maxEntries" . }} ? [] :
    variables.now.filter(key, {{ include "podcap.hasPrefix" . }} &&
      !(key in {{ include "podcap.optionKeys" . }}) &&
      (variables.startsCapture || variables.now[?key] != variables.before[?key]))
{{- end -}}

{{/* A validation for each annotation. `unless`, in CEL, is what makes any value valid. Arguments: root and unless. */}}
{{- define "podcap.valueValidations" -}}
{{- $unless := .unless -}}
{{- range include "podcap.annotationRules" .root | fromYamlArray }}
{{- $key := toJson .key }}
- expression: |-
    {{ with $unless }}{{ . }} || {{ end }}!({{ $key }} in variables.given) || [variables.now[{{ $key }}]].all(value,
      {{ .rule }})
  messageExpression: |-
    [variables.now[{{ $key }}]].map(value, {{ printf "annotation %s=" .key | toJson }} +
      strings.quote(size(value) > 40 ? value.substring(0, 40) + "…" : value) +
      {{ printf ": must be %s" .allowed | toJson }})[0]
{{- end }}
{{- /* An early warning: the kernel runs no loops. The agent refuses each filter that the kernel does not run. */}}
- expression: |-
    {{ with $unless }}{{ . }} || {{ end }}!("podcap.dev/filter" in variables.given) ||
      !variables.now["podcap.dev/filter"].matches(r"\bprotochain\b")
  message: "annotation podcap.dev/filter: the kernel cannot run protochain, and without the kernel packets would be lost"
{{- end -}}

{{/* The agent suggests the nearest name; CEL lists them all. */}}
{{- define "podcap.unknownMessage" -}}
"annotation " + variables.unknown.min() +
  {{ include "podcap.optionKeys" . | fromJsonArray | join ", " | printf " is unknown: must be one of %s" | toJson }}
{{- end -}}

{{/* The binding of a policy, with the same name. Arguments: root, the chart's root; name; action, Deny or Warn. */}}
{{- define "podcap.admissionBinding" -}}
{{- $root := .root -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels:
    app: packet-capture
    {{- include "podcap.labels" $root | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [{{ .action }}]
  {{- with $root.Values.admission.namespaceSelector }}
  matchResources:
    namespaceSelector:
      {{- toYaml . | nindent 6 }}
  {{- end }}
{{- end -}}
