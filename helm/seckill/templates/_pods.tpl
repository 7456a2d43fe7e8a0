{{/* Pod Security "restricted", and more: nothing can be written but /tmp. */}}
{{- define "seckill.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "seckill.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* (root, component) Where the pods of a component run. Its own word comes before that of all. */}}
{{- define "seckill.scheduling" -}}
{{- $all := .root.Values -}}
{{- $own := index $all .component | default dict -}}
{{- with $own.priorityClassName | default $all.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $own.nodeSelector | default $all.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations | default $all.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.affinity | default $all.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* (root, selector) Spreads pods; without a selector for pools, to which the operator adds the pool's own. */}}
{{- define "seckill.topologySpread" -}}
{{- $root := .root -}}
{{- $selector := .selector -}}
topologySpreadConstraints:
{{- range $root.Values.topologySpread.keys | default (list "kubernetes.io/hostname" "topology.kubernetes.io/zone") }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: {{ $root.Values.topologySpread.whenUnsatisfiable }}
    {{- with $selector }}
    labelSelector:
      matchLabels:
        {{- . | nindent 8 }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* (root, port) Annotations of the pods of a component. */}}
{{- define "seckill.podAnnotations" -}}
{{- $values := .root.Values -}}
{{- if and $values.monitoring.scrapeAnnotations (not $values.monitoring.podMonitor.enabled) }}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .port | quote }}
prometheus.io/path: /metrics
{{- end }}
{{- if .servers }}
{{- /* These variables are read when a process starts: new ones want new processes. A Secret of yours is not seen here. */}}
{{- with include "seckill.serversData" .root | fromYaml }}
seckill.io/servers: {{ toYaml . | sha256sum | trunc 16 | quote }}
{{- end }}
{{- end }}
{{- with $values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The variables of every process. */}}
{{- define "seckill.env.process" -}}
- name: SECKILL_HOST
  value: 0.0.0.0
- name: SECKILL_PORT
  value: "8080"
- name: SECKILL_LOG_LEVEL
  value: {{ .root.Values.logLevel }}
- name: SECKILL_INSTANCE
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end -}}

{{/*
Keeps a serving pod alive until nobody is sent to it any more; after that its process drains by itself. Older clusters
have no sleep of their own, and the image has no shell.
*/}}
{{- define "seckill.preStop" -}}
{{- $seconds := .Values.termination.preStopSeconds | int -}}
{{- if gt $seconds 0 }}
lifecycle:
  preStop:
    {{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version }}
    sleep:
      seconds: {{ $seconds }}
    {{- else }}
    exec:
      command: [/usr/local/bin/node, -e, "setTimeout(() => {}, {{ mul $seconds 1000 }})"]
    {{- end }}
{{- end }}
{{- end -}}

{{/* (port) A process that answers is alive; it is ready when what it depends on is. */}}
{{- define "seckill.probes" -}}
startupProbe:
  httpGet:
    path: /healthz
    port: {{ .port }}
  initialDelaySeconds: 1
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet:
    path: /healthz
    port: {{ .port }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet:
    path: /readyz
    port: {{ .port }}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
{{- end -}}

{{/* (root, component) What every Deployment of the chart has in common. */}}
{{- define "seckill.deploymentHead" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "seckill.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "seckill.labels" . | nindent 4 }}
spec:
  replicas: {{ (index .root.Values .component).replicas }}
  revisionHistoryLimit: 3
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  selector:
    matchLabels:
      {{- include "seckill.selectorLabels" . | nindent 6 }}
{{- end -}}

{{- define "seckill.podLabels" -}}
{{ include "seckill.selectorLabels" . }}
app.kubernetes.io/part-of: seckill
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- with .root.Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "seckill.imagePullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
