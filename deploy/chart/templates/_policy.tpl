{{/* The schema of a CapturePolicy's selector, as Kubernetes itself has it: the counterpart of policy-selector.ts. */}}
{{- define "podcap.selectorSchema" -}}
description: >-
  the Pods of the namespace that are captured, by their labels, as in a Deployment; matchLabels: {} selects all of them
type: object
x-kubernetes-map-type: atomic
# A misspelled field is dropped: what remains must not select every Pod.
x-kubernetes-validations:
  - rule: has(self.matchLabels) || has(self.matchExpressions)
    message: "must have matchLabels or matchExpressions; matchLabels: {} selects every Pod of the namespace"
properties:
  matchLabels:
    type: object
    maxProperties: 32
    additionalProperties: { type: string, maxLength: 63, pattern: '{{ include "podcap.labelValuePattern" . }}' }
    x-kubernetes-validations:
      - rule: self.all(key, size(key) <= 317 && key.matches("{{ include "podcap.labelKeyPattern" . }}"))
        message: must have keys that labels can have
  matchExpressions:
    type: array
    x-kubernetes-list-type: atomic
    maxItems: 8
    items:
      type: object
      required: [key, operator]
      properties:
        key: { type: string, maxLength: 317, pattern: '{{ include "podcap.labelKeyPattern" . }}' }
        operator: { type: string, maxLength: 12, enum: [In, NotIn, Exists, DoesNotExist] }
        values:
          type: array
          x-kubernetes-list-type: atomic
          maxItems: 16
          items: { type: string, maxLength: 63, pattern: '{{ include "podcap.labelValuePattern" . }}' }
      x-kubernetes-validations:
        - rule: (self.operator in ["In", "NotIn"]) == (has(self.values) && size(self.values) > 0)
          message: In and NotIn need values, Exists and DoesNotExist have none
{{- end -}}

{{- define "podcap.labelKeyPattern" -}}
^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$
{{- end -}}

{{- define "podcap.labelValuePattern" -}}
^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$
{{- end -}}

{{/* The same in policy-fields.ts. CEL's timestamp() knows which days exist. */}}
{{- define "podcap.timePattern" -}}
^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$
{{- end -}}
