{{/*
Every annotation, with what is allowed, in words and as a CEL expression of its `value`: the counterpart of
annotationRules in src/agent/planner/annotations.ts. end-to-end/admission-values.test.ts compares the answers of both.
*/}}
{{- define "podcap.annotationRules" -}}
{{- $settings := .Values.settings -}}
{{- $maxFiles := int64 ($settings.maxFiles | default 100) -}}
{{- $maxFileMegabytes := int64 ($settings.maxFileMegabytes | default 100) -}}
- key: tcpdump.antrea.io
  allowed: a whole number of capture files from 1 to {{ $maxFiles }}
  rule: value.matches("^[0-9]{1,9}$") && int(value) >= 1 && int(value) <= {{ $maxFiles }}
- key: podcap.dev/file-size
  allowed: a whole number of megabytes from 1 to {{ $maxFileMegabytes }}
  rule: value.matches("^[0-9]{1,9}$") && int(value) >= 1 && int(value) <= {{ $maxFileMegabytes }}
- key: podcap.dev/interface
  allowed: the name of one interface of the Pod, such as eth0, net1 or lo, but not 'any'
  rule: value.matches("^[A-Za-z0-9][A-Za-z0-9@._-]{0,14}$") && value.matches("[^0-9]") && value != "any"
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
{{- end -}}

{{- define "podcap.annotationKeys" -}}
{{- $keys := list -}}
{{- range include "podcap.annotationRules" . | fromYamlArray }}{{ $keys = append $keys .key }}{{ end -}}
{{- toJson $keys -}}
{{- end -}}

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

{{/*
Everything that can annotate a Pod: the Pod itself, a binding, whose annotations are copied to the Pod, and the
templates of Pods. The subresources ephemeralcontainers and resize cannot change annotations.
*/}}
{{- define "podcap.admissionMatch" -}}
matchConstraints:
  resourceRules:
    - apiGroups: [""]
      apiVersions: [v1]
      operations: [CREATE, UPDATE]
      resources: [pods, pods/status, pods/binding, bindings, replicationcontrollers]
    - apiGroups: [apps]
      apiVersions: [v1]
      operations: [CREATE, UPDATE]
      resources: [deployments, replicasets, statefulsets, daemonsets, controllerrevisions]
    - apiGroups: [batch]
      apiVersions: [v1]
      operations: [CREATE, UPDATE]
      resources: [jobs, cronjobs]
matchConditions:
  # Nearly every request ends here, because it changes no annotation of Podcap.
  - name: changes-a-capture
    expression: |-
      [{{ include "podcap.annotationsNow" . | indent 6 | trim }}].exists(now,
        [{{ include "podcap.annotationsBefore" . | indent 8 | trim }}].exists(before,
          {{ include "podcap.annotationKeys" . }}.exists(key, now[?key] != before[?key])))
  # Controllers create Pods from templates, and a Node from its manifests. The author of a template has been checked;
  # that of a manifest cannot be.
  - name: not-by-a-controller
    expression: |-
      !(request.operation == "CREATE" && request.userInfo.username in [
        "system:kube-controller-manager",
        "system:serviceaccount:kube-system:replication-controller",
        "system:serviceaccount:kube-system:deployment-controller",
        "system:serviceaccount:kube-system:replicaset-controller",
        "system:serviceaccount:kube-system:statefulset-controller",
        "system:serviceaccount:kube-system:daemon-set-controller",
        "system:serviceaccount:kube-system:cronjob-controller",
        "system:serviceaccount:kube-system:job-controller"])
  - name: not-a-mirror-of-a-static-pod
    expression: |-
      !(request.operation == "CREATE" && request.kind.kind == "Pod" &&
        "system:nodes" in request.userInfo.?groups.orValue([]) &&
        "kubernetes.io/config.mirror" in object.metadata.?annotations.orValue({}))
{{- end -}}

{{/* The binding of a policy, with the same name. Arguments: root, the chart's root, and name. */}}
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
  validationActions: [Deny]
  {{- with $root.Values.admission.namespaceSelector }}
  matchResources:
    namespaceSelector:
      {{- toYaml . | nindent 6 }}
  {{- end }}
{{- end -}}
