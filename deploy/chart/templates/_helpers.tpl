{{/* The name of all objects: that of the release, so that the release podcap has the DaemonSet podcap. */}}
{{- define "podcap.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The labels that select the Pods of the release. They are the same in every version. */}}
{{- define "podcap.podLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "podcap.labels" -}}
{{ include "podcap.podLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "podcap.image" -}}
{{- $image := .Values.image -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end -}}
{{- end -}}

{{/* The settings that are not null, as --flag=value, and extraArgs. */}}
{{- define "podcap.args" -}}
{{- range $name, $value := .Values.settings -}}
{{- if ne $value nil }}
- --{{ kebabcase $name }}={{ if kindIs "float64" $value }}{{ int64 $value }}{{ else }}{{ $value }}{{ end }}
{{- end -}}
{{- end -}}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end -}}
{{- end -}}

{{/* Schedules a Pod, an agent or one that purges, to every Node that may have captures. */}}
{{- define "podcap.placement" -}}
nodeSelector:
  {{- merge (dict "kubernetes.io/os" "linux") .Values.nodeSelector | toYaml | nindent 2 }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "podcap.pullSecrets" . }}
{{- end -}}

{{/*
The given `affinity`, in which each term for Nodes also demands the given `nodeRequirements`: a Node needs to match only
one of the terms.
*/}}
{{- define "podcap.affinity" -}}
{{- $affinity := deepCopy .affinity -}}
{{- if .nodeRequirements -}}
{{- $nodeAffinity := $affinity.nodeAffinity | default dict -}}
{{- $required := $nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution | default dict -}}
{{- $terms := list -}}
{{- range $required.nodeSelectorTerms | default (list dict) -}}
{{- $terms = append $terms (set . "matchExpressions" (concat (.matchExpressions | default list) $.nodeRequirements)) -}}
{{- end -}}
{{- $_ := set $nodeAffinity "requiredDuringSchedulingIgnoredDuringExecution" (dict "nodeSelectorTerms" $terms) -}}
{{- $_ := set $affinity "nodeAffinity" $nodeAffinity -}}
{{- end -}}
{{- with $affinity }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* Of the agent. */}}
{{- define "podcap.capabilities" }}
- SYS_ADMIN # enter the network namespace of a Pod (setns)
- NET_RAW # read packets; the only capability that tcpdump keeps
- SETUID # give tcpdump its own user
- SETGID # ... and a group
- SETPCAP # remove every other capability from it
- KILL # send it signals, because its user is a different one
{{- end -}}

{{/* Not empty if the release has a hub. Before Kubernetes 1.30, the hub could not tell agents of different Nodes apart. */}}
{{- define "podcap.hasHub" -}}
{{- if and .Values.hub.enabled (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) }}yes{{ end -}}
{{- end -}}

{{/* The name of the hub's objects. */}}
{{- define "podcap.hubName" -}}
{{ include "podcap.name" . }}-hub
{{- end -}}

{{/* The labels that select the hub's Pods. The label app is another one than the agents': their DaemonSet selects by it. */}}
{{- define "podcap.hubPodLabels" -}}
app: packet-capture-hub
{{ include "podcap.podLabels" . }}
app.kubernetes.io/component: hub
{{- end -}}

{{/* The hub's settings that are not null, as --flag=value, and extraArgs. */}}
{{- define "podcap.hubArgs" -}}
{{- range $name, $value := .Values.hub.settings -}}
{{- if ne $value nil }}
- --{{ kebabcase $name }}={{ if kindIs "float64" $value }}{{ int64 $value }}{{ else }}{{ $value }}{{ end }}
{{- end -}}
{{- end -}}
{{- if .Values.metricsTls.secretName }}
- --metrics-tls-folder=/etc/podcap/metrics-tls
{{- end -}}
{{- range .Values.hub.extraArgs }}
- {{ . | quote }}
{{- end -}}
{{- end -}}

{{/* hub.affinity, or replicas on different Nodes and in different zones, where there are any. */}}
{{- define "podcap.hubAffinity" -}}
{{- if .Values.hub.affinity -}}
{{ toYaml .Values.hub.affinity }}
{{- else -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    {{- range $weight, $key := dict "100" "kubernetes.io/hostname" "50" "topology.kubernetes.io/zone" }}
    - weight: {{ $weight }}
      podAffinityTerm:
        topologyKey: {{ $key }}
        labelSelector:
          matchLabels:
            {{- include "podcap.hubPodLabels" $ | nindent 12 }}
    {{- end }}
{{- end -}}
{{- end -}}

{{/* The agents' PriorityClass. */}}
{{- define "podcap.priorityClassName" -}}
{{- if .Values.priorityClass.create }}{{ include "podcap.name" . }}{{ else }}{{ .Values.priorityClass.name }}{{ end -}}
{{- end -}}

{{/* Not empty if the release has SecurityContextConstraints. */}}
{{- define "podcap.hasConstraints" -}}
{{- $enabled := .Values.securityContextConstraints.enabled -}}
{{- if kindIs "invalid" $enabled -}}
{{- $enabled = .Capabilities.APIVersions.Has "security.openshift.io/v1" -}}
{{- end -}}
{{- if $enabled }}yes{{ end -}}
{{- end -}}

{{/* On Nodes with SELinux, as all Nodes of OpenShift are, no other type may access the folders of the Node. */}}
{{- define "podcap.seLinuxOptions" -}}
{{- $default := dict -}}
{{- if include "podcap.hasConstraints" . }}{{ $default = dict "type" "spc_t" }}{{ end -}}
{{- with .Values.seLinuxOptions | default $default }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{- define "podcap.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}
