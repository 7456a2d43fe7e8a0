{{/* What the schema cannot say, as sentences: all that is wrong at once. */}}
{{- define "seckill.problems" -}}
{{- with .Values.redis -}}
{{- if and (not .existingSecret) (not .url) }}
redis.url is empty: set it to a URL such as redis://HOST:6379, or redis.existingSecret to the name of a Secret that holds one.
{{- else if and (not .existingSecret) (not (regexMatch "^rediss?://.+" .url)) }}
redis.url must be a URL such as redis://HOST:6379, or rediss://USER:PASSWORD@HOST:6379 with TLS.
{{- end }}
{{- if and (not .existingSecret) .ca.existingSecret (hasPrefix "redis://" .url) }}
redis.ca.existingSecret is set, but redis.url is without TLS: it must begin with rediss://.
{{- end }}
{{- end -}}
{{- if not .Values.kafka.brokers }}
kafka.brokers is empty: set it to a list such as {kafka-0:9092,kafka-1:9092}.
{{- end }}
{{- range .Values.kafka.brokers }}
{{- if not (regexMatch "^[^,:/\\s]+:[0-9]+$" (toString .)) }}
kafka.brokers has "{{ . }}": each broker is written as HOST:PORT.
{{- end }}
{{- end }}
{{- with .Values.kafka.sasl }}
{{- if and .mechanism (not .existingSecret) (or (not .username) (not .password)) }}
kafka.sasl.mechanism is set: set kafka.sasl.existingSecret to a Secret with user name and password, or username and password.
{{- else if and (not .mechanism) (or .existingSecret .username) }}
kafka.sasl has a user but no mechanism: set kafka.sasl.mechanism to plain, scram-sha-256 or scram-sha-512.
{{- end }}
{{- end }}
{{- if and .Values.kafka.ca.existingSecret (not .Values.kafka.tls) }}
kafka.ca.existingSecret is set, but kafka.tls is false: set kafka.tls to true.
{{- end }}
{{- with .Values.mysql -}}
{{- if and (not .existingSecret) (not .url) }}
mysql.url is empty: set it to a URL such as mysql://USER:PASSWORD@HOST:3306/DATABASE, or mysql.existingSecret to the name of a Secret that holds one.
{{- else if and (not .existingSecret) (not (regexMatch "^mysql://[^/]+/[^/?]+" .url)) }}
mysql.url must be a URL such as mysql://USER:PASSWORD@HOST:3306/DATABASE.
{{- else if and (not .existingSecret) .migrationUrl (not (regexMatch "^mysql://[^/]+/[^/?]+" .migrationUrl)) }}
mysql.migrationUrl must be a URL such as mysql://USER:PASSWORD@HOST:3306/DATABASE.
{{- end }}
{{- end -}}
{{- if not (dig "requests" "cpu" "" .Values.pool.resources) }}
pool.resources.requests.cpu is empty: set it (500m), because pools are scaled by the share of it that is used.
{{- end }}
{{- range .Values.edge.trustedProxies }}
{{- if not (regexMatch "^[0-9a-fA-F.:]+/[0-9]{1,3}$" (toString .)) }}
edge.trustedProxies has "{{ . }}": each is a CIDR such as 10.0.0.0/8.
{{- end }}
{{- end }}
{{- with .Values.edge.ingress -}}
{{- if and .enabled (not .hosts) }}
edge.ingress.hosts is empty: set it to the host names under which buyers come, such as {sale.example.com}.
{{- end }}
{{- end -}}
{{- range $value := list "commonLabels" "podLabels" }}
{{- range $label := keys (index $.Values $value) | sortAlpha }}
{{- if hasPrefix "app.kubernetes.io/" $label }}
{{ $value }} has "{{ $label }}": labels of app.kubernetes.io/ are the chart's own, and pods are found by them.
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.termination -}}
{{- if lt (int .graceSeconds) (add (int .preStopSeconds) 16) }}
termination.graceSeconds must be at least {{ add (int .preStopSeconds) 16 }}: preStopSeconds, and 15 seconds in which a process ends.
{{- end }}
{{- end -}}
{{- /* The shortest window of the rules is 10 s, and a rate needs two readings in it. */}}
{{- with .Values.monitoring -}}
{{- if and .rules.enabled .podMonitor.enabled (not (regexMatch "^(0*[1-5]s|0*[1-9][0-9]{0,2}ms|0*[1-4][0-9]{3}ms|0*5000ms)$" .podMonitor.interval)) }}
monitoring.podMonitor.interval is {{ .podMonitor.interval }}: the rules look at windows of 10 s, so set it to 5s or less, or monitoring.rules.enabled to false.
{{- end }}
{{- end -}}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.operatorName) }}
serviceAccount.create is false: set serviceAccount.operatorName to the ServiceAccount that the operator is to use.
{{- end }}
{{- end -}}
