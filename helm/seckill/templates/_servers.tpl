{{/* The Secret with what was written into the values; a Secret of yours comes before it. */}}
{{- define "seckill.serversSecret" -}}
{{ include "seckill.fullname" . }}-servers
{{- end -}}

{{- define "seckill.serversData" -}}
{{- $data := dict -}}
{{- if not .Values.redis.existingSecret -}}{{- $_ := set $data "redis-url" .Values.redis.url -}}{{- end -}}
{{- if not .Values.mysql.existingSecret -}}{{- $_ := set $data "mysql-url" .Values.mysql.url -}}{{- end -}}
{{- with .Values.kafka.sasl -}}
{{- if and .mechanism (not .existingSecret) -}}
{{- $_ := set $data "kafka-username" .username -}}
{{- $_ := set $data "kafka-password" .password -}}
{{- end -}}
{{- end -}}
{{- toYaml $data -}}
{{- end -}}

{{/* (name, secret, key) A variable out of a Secret. */}}
{{- define "seckill.secretVariable" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end -}}

{{/* (root, component) */}}
{{- define "seckill.env.redis" -}}
{{- $redis := .root.Values.redis -}}
{{- if $redis.existingSecret -}}
{{- $key := get $redis.componentKeys .component | default $redis.existingSecretKey -}}
{{ include "seckill.secretVariable" (dict "name" "SECKILL_REDIS_URL" "secret" $redis.existingSecret "key" $key) }}
{{- else -}}
{{ include "seckill.secretVariable" (dict "name" "SECKILL_REDIS_URL" "secret" (include "seckill.serversSecret" .root) "key" "redis-url") }}
{{- end }}
{{- if $redis.ca.existingSecret }}
- name: SECKILL_REDIS_CA_FILE
  value: /etc/seckill/redis-ca/ca.crt
{{- end }}
{{- end -}}

{{- define "seckill.env.kafka" -}}
{{- $kafka := .root.Values.kafka -}}
{{- $sasl := $kafka.sasl -}}
- name: SECKILL_KAFKA_BROKERS
  value: {{ join "," $kafka.brokers | quote }}
{{- if $kafka.tls }}
- name: SECKILL_KAFKA_TLS
  value: "true"
{{- end }}
{{- if $kafka.ca.existingSecret }}
- name: SECKILL_KAFKA_CA_FILE
  value: /etc/seckill/kafka-ca/ca.crt
{{- end }}
{{- if $sasl.mechanism }}
{{- $secret := $sasl.existingSecret | default (include "seckill.serversSecret" .root) }}
- name: SECKILL_KAFKA_SASL_MECHANISM
  value: {{ $sasl.mechanism }}
{{ include "seckill.secretVariable" (dict "name" "SECKILL_KAFKA_SASL_USERNAME" "secret" $secret "key" (ternary $sasl.usernameKey "kafka-username" (not (empty $sasl.existingSecret)))) }}
{{ include "seckill.secretVariable" (dict "name" "SECKILL_KAFKA_SASL_PASSWORD" "secret" $secret "key" (ternary $sasl.passwordKey "kafka-password" (not (empty $sasl.existingSecret)))) }}
{{- end }}
{{- end -}}

{{- define "seckill.env.mysql" -}}
{{- $mysql := .root.Values.mysql -}}
{{- $secret := $mysql.existingSecret | default (include "seckill.serversSecret" .root) -}}
{{- $key := ternary $mysql.existingSecretKey "mysql-url" (not (empty $mysql.existingSecret)) -}}
{{- if eq .component "migrate" -}}
{{- $secret = $mysql.existingSecret | default (printf "%s-migrate" (include "seckill.fullname" .root)) -}}
{{- if $mysql.existingSecret -}}{{- $key = $mysql.migrationSecretKey | default $key -}}{{- end -}}
{{- end -}}
{{ include "seckill.secretVariable" (dict "name" "SECKILL_MYSQL_URL" "secret" $secret "key" $key) }}
{{- if $mysql.ca.existingSecret }}
- name: SECKILL_MYSQL_CA_FILE
  value: /etc/seckill/mysql-ca/ca.crt
{{- end }}
{{- end -}}

{{/* (root, servers) The volumes with the CA certificates of these servers. Processes read them when they start. */}}
{{- define "seckill.caVolumes" -}}
{{- range $server := .servers }}
{{- with (index $.root.Values $server).ca }}
{{- if .existingSecret }}
- name: {{ $server }}-ca
  secret:
    secretName: {{ .existingSecret }}
    items:
      - key: {{ .key }}
        path: ca.crt
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "seckill.caMounts" -}}
{{- range $server := .servers }}
{{- if (index $.root.Values $server).ca.existingSecret }}
- name: {{ $server }}-ca
  mountPath: /etc/seckill/{{ $server }}-ca
  readOnly: true
{{- end }}
{{- end }}
{{- end -}}
