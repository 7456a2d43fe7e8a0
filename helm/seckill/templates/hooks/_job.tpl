{{/* (root, component, account, token, args, env, servers) The pod of a hook. */}}
{{- define "seckill.hookPod" -}}
{{- $root := .root -}}
metadata:
  labels:
    {{- include "seckill.podLabels" . | nindent 4 }}
spec:
  {{- with include "seckill.imagePullSecrets" $root | trim }}{{ . | nindent 2 }}{{- end }}
  serviceAccountName: {{ .account }}
  automountServiceAccountToken: {{ .token | default false }}
  enableServiceLinks: false
  restartPolicy: Never
  securityContext:
    {{- include "seckill.podSecurity" $root | nindent 4 }}
  {{- with include "seckill.scheduling" . | trim }}{{ . | nindent 2 }}{{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "seckill.image" $root }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: {{ toJson .args }}
      env:
        - name: SECKILL_LOG_LEVEL
          value: {{ $root.Values.logLevel }}
        {{- .env | nindent 8 }}
      resources:
        {{- toYaml $root.Values.hooks.resources | nindent 8 }}
      securityContext:
        {{- include "seckill.containerSecurity" $root | nindent 8 }}
      volumeMounts:
        - name: tmp
          mountPath: /tmp
        {{- with include "seckill.caMounts" (dict "root" $root "servers" .servers) | trim }}{{ . | nindent 8 }}{{- end }}
  volumes:
    - name: tmp
      emptyDir: {}
    {{- with include "seckill.caVolumes" (dict "root" $root "servers" .servers) | trim }}{{ . | nindent 4 }}{{- end }}
{{- end -}}
