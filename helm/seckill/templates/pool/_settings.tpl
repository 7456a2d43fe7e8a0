{{/* The pod template of every pool. It depends on these values alone, never on an event. */}}
{{- define "seckill.poolTemplate" -}}
{{- $me := dict "root" . "component" "pool" "port" 8080 "servers" (list "redis") -}}
metadata:
  labels:
    {{- include "seckill.podLabels" $me | nindent 4 }}
  {{- with include "seckill.poolAnnotations" . | trim }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  {{- with include "seckill.imagePullSecrets" . | trim }}{{ . | nindent 2 }}{{- end }}
  serviceAccountName: {{ include "seckill.workerAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.termination.graceSeconds }}
  securityContext:
    {{- include "seckill.podSecurity" . | nindent 4 }}
  {{- with include "seckill.scheduling" $me | trim }}{{ . | nindent 2 }}{{- end }}
  {{- include "seckill.topologySpread" (dict "root" . "selector" "") | nindent 2 }}
  containers:
    - name: seckill
      image: {{ include "seckill.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [--max-semi-space-size=8, services/seckill/main.ts]
      env:
        {{- include "seckill.env.process" $me | nindent 8 }}
        - name: SECKILL_TOKEN_KEYS_FILE
          value: /etc/seckill/token-keys/token-keys.json
        {{- include "seckill.env.redis" $me | nindent 8 }}
        {{- with .Values.pool.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - name: http
          containerPort: 8080
      {{- include "seckill.probes" (dict "port" "http") | nindent 6 }}
      {{- with include "seckill.preStop" . | trim }}{{ . | nindent 6 }}{{- end }}
      resources:
        {{- toYaml .Values.pool.resources | nindent 8 }}
      securityContext:
        {{- include "seckill.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - name: tmp
          mountPath: /tmp
        - name: token-keys
          mountPath: /etc/seckill/token-keys
          readOnly: true
        {{- with include "seckill.caMounts" $me | trim }}{{ . | nindent 8 }}{{- end }}
  volumes:
    - name: tmp
      emptyDir: {}
    - name: token-keys
      secret:
        secretName: {{ include "seckill.tokenSecret" . }}
    {{- with include "seckill.caVolumes" $me | trim }}{{ . | nindent 4 }}{{- end }}
{{- end -}}

{{- define "seckill.poolAnnotations" -}}
{{- include "seckill.podAnnotations" (dict "root" . "port" 8080) }}
{{- if not .Values.redis.existingSecret }}
seckill.io/redis: {{ .Values.redis.url | sha256sum | trunc 16 | quote }}
{{- end }}
{{- end -}}

{{- define "seckill.poolSettings" -}}
release: {{ .Release.Name | quote }}
labels:
  {{- include "seckill.releaseLabels" . | nindent 2 }}
clusterDomain: {{ .Values.clusterDomain | quote }}
port: 8080
podTemplate:
  {{- include "seckill.poolTemplate" . | nindent 2 }}
{{- if .Values.networkPolicy.enabled }}
networkPolicy:
  ingress:
    {{- include "seckill.ingressOfEdge" (dict "root" .) | trim | nindent 4 }}
  egress:
    {{- include "seckill.egress" (dict "root" . "servers" (list "redis")) | trim | nindent 4 }}
{{- end }}
podDisruptionBudget:
  maxUnavailable: {{ .Values.pool.maxUnavailable }}
{{- end -}}
