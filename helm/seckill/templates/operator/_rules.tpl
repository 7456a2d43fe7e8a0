{{/* The rules of the operator; compared with operator/platform/kubernetes/permissions.ts. */}}
{{- define "seckill.rules.watched" -}}
- apiGroups: [seckill.io]
  resources: [seckillevents]
  verbs: [get, list, watch, patch]
- apiGroups: [seckill.io]
  resources: [seckillevents/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{- define "seckill.rules.release" -}}
- apiGroups: [""]
  resources: [configmaps, services]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "seckill.leaseName" . }}]
  verbs: [get, update]
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ include "seckill.tokenSecret" . }}]
  verbs: [get]
{{- end -}}

{{- define "seckill.leaseName" -}}
{{ include "seckill.fullname" . }}-operator
{{- end -}}

{{/*
(root, component, account, rules) The rules in every watched namespace: a Role in each that is named, else one
ClusterRole for all.
*/}}
{{- define "seckill.watchedRoles" -}}
{{- $root := .root -}}
{{- $rules := .rules -}}
{{- $labels := include "seckill.labels" . -}}
{{- $account := .account -}}
{{- $component := .component -}}
{{- if $root.Values.watchNamespaces }}
{{- range $namespace := $root.Values.watchNamespaces | uniq }}
{{- $name := printf "%s-%s-events" (include "seckill.clusterName" $root) $component }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  namespace: {{ $namespace | quote }}
  labels:
    {{- $labels | nindent 4 }}
rules:
  {{- $rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ $namespace | quote }}
  labels:
    {{- $labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $account }}
    namespace: {{ $root.Release.Namespace | quote }}
{{- end }}
{{- else }}
{{- $name := printf "%s-%s" (include "seckill.clusterName" $root) $component }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $name }}
  labels:
    {{- $labels | nindent 4 }}
rules:
  {{- $rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $name }}
  labels:
    {{- $labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $account }}
    namespace: {{ $root.Release.Namespace | quote }}
{{- end }}
{{- end -}}
