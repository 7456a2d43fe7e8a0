{{- define "evaluation.name" -}}
{{ .root.Release.Name | trunc 40 | trimSuffix "-" }}-{{ .server }}
{{- end -}}

{{- define "evaluation.selectorLabels" -}}
app.kubernetes.io/name: seckill-evaluation
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .server }}
{{- end -}}

{{- define "evaluation.labels" -}}
{{ include "evaluation.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{/* (root, server, port) */}}
{{- define "evaluation.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "evaluation.name" . }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "evaluation.labels" . | nindent 4 }}
spec:
  selector:
    {{- include "evaluation.selectorLabels" . | nindent 4 }}
  ports:
    - name: {{ .server }}
      port: {{ .port }}
      targetPort: {{ .server }}
{{- end -}}

{{/* (root, server, port, user, mountPath, container) One server with its data. `container` is what is special about it. */}}
{{- define "evaluation.statefulSet" -}}
{{- $values := index .root.Values .server -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ include "evaluation.name" . }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "evaluation.labels" . | nindent 4 }}
spec:
  replicas: 1
  serviceName: {{ include "evaluation.name" . }}
  selector:
    matchLabels:
      {{- include "evaluation.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "evaluation.selectorLabels" . | nindent 8 }}
    spec:
      automountServiceAccountToken: false
      # Services would become variables, and images read variables of such names.
      enableServiceLinks: false
      terminationGracePeriodSeconds: 60
      securityContext:
        runAsNonRoot: true
        runAsUser: {{ .user }}
        runAsGroup: {{ .user }}
        fsGroup: {{ .user }}
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: {{ .server }}
          image: {{ $values.image }}
          {{- .container | nindent 10 }}
          ports:
            - name: {{ .server }}
              containerPort: {{ .port }}
          startupProbe:
            tcpSocket:
              port: {{ .server }}
            periodSeconds: 2
            failureThreshold: 60
          readinessProbe:
            tcpSocket:
              port: {{ .server }}
            periodSeconds: 2
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            runAsNonRoot: true
            capabilities:
              drop: [ALL]
          volumeMounts:
            - name: data
              mountPath: {{ .mountPath }}
              subPath: data
      {{- if not $values.storage }}
      volumes:
        - name: data
          emptyDir: {}
      {{- end }}
  {{- if $values.storage }}
  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        resources:
          requests:
            storage: {{ $values.storage }}
  {{- end }}
{{- end -}}
