{{/* Prefix of the names of all objects: at most 40 characters, so that every suffix fits into 63. */}}
{{- define "seckill.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains "seckill" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-seckill" (.Release.Name | trunc 32 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- define "seckill.operatorAccount" -}}
{{- .Values.serviceAccount.operatorName | default (printf "%s-operator" (include "seckill.fullname" .)) -}}
{{- end -}}

{{/* The account of everything that never speaks to the Kubernetes API. It has no rights, and its token is not mounted. */}}
{{- define "seckill.workerAccount" -}}
{{- if .Values.serviceAccount.create -}}{{ include "seckill.fullname" . }}-worker{{- else -}}default{{- end -}}
{{- end -}}

{{- define "seckill.tokenSecret" -}}
{{- .Values.tokenKeys.secretName | default (printf "%s-token-keys" (include "seckill.fullname" .)) -}}
{{- end -}}

{{/* Names of cluster-wide objects carry the namespace: two releases of one name may live in two namespaces. */}}
{{- define "seckill.clusterName" -}}
{{ include "seckill.fullname" . }}.{{ .Release.Namespace }}
{{- end -}}

{{- define "seckill.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* What belongs to this release, pools included. */}}
{{- define "seckill.releaseLabels" -}}
app.kubernetes.io/part-of: seckill
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* (root, component) The labels by which pods are found; they never change. */}}
{{- define "seckill.selectorLabels" -}}
app.kubernetes.io/name: seckill
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* (root, component) The labels of an object of the chart. */}}
{{- define "seckill.labels" -}}
{{ include "seckill.selectorLabels" . }}
app.kubernetes.io/part-of: seckill
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
