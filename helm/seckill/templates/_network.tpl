{{/* (to, ports, protocol) One egress rule: to these peers, or to anywhere, by port. */}}
{{- define "seckill.egressRule" -}}
{{- $protocols := .protocols | default (list "TCP") -}}
- ports:
  {{- range $port := .ports }}
  {{- range $protocols }}
    - port: {{ $port }}
      protocol: {{ . }}
  {{- end }}
  {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* (url, default) The port that a URL names. */}}
{{- define "seckill.portOfUrl" -}}
{{- $host := (urlParse (regexReplaceAll "^([a-z]+://)[^/]*@" .url "${1}")).host -}}
{{- regexFind ":[0-9]+$" $host | trimPrefix ":" | default .default -}}
{{- end -}}

{{/* (root, server) The ports of a server, as a YAML list. */}}
{{- define "seckill.serverPorts" -}}
{{- $values := .root.Values -}}
{{- $ports := (index $values.networkPolicy .server).ports -}}
{{- if not $ports -}}
{{- if eq .server "kafka" -}}
{{- range $values.kafka.brokers -}}
{{- $ports = append $ports (regexFind "[0-9]+$" (toString .) | int) -}}
{{- end -}}
{{- else -}}
{{- $server := index $values .server -}}
{{- $default := get (dict "redis" "6379" "mysql" "3306") .server -}}
{{- $url := ternary "" $server.url (not (empty $server.existingSecret)) -}}
{{- $ports = list (include "seckill.portOfUrl" (dict "url" $url "default" $default) | int) -}}
{{- if and (eq .server "mysql") (not $server.existingSecret) $server.migrationUrl -}}
{{- $ports = append $ports (include "seckill.portOfUrl" (dict "url" $server.migrationUrl "default" $default) | int) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml ($ports | uniq | sortAlpha) -}}
{{- end -}}

{{/* (root, servers) DNS, and these servers. */}}
{{- define "seckill.egress" -}}
{{- $root := .root -}}
{{ include "seckill.egressRule" (dict "to" $root.Values.networkPolicy.dns.to "ports" (list 53) "protocols" (list "UDP" "TCP")) }}
{{- range $server := .servers }}
{{ include "seckill.egressRule" (dict "to" (index $root.Values.networkPolicy $server).to "ports" (include "seckill.serverPorts" (dict "root" $root "server" $server) | fromYamlArray)) }}
{{- end }}
{{- if .apiserver }}
{{ include "seckill.egressRule" (dict "to" $root.Values.networkPolicy.apiserver.to "ports" ($root.Values.networkPolicy.apiserver.ports | default (list 443 6443))) }}
{{- end }}
{{- end -}}

{{/* (root, component) Peers: the pods of a component of this release. */}}
{{- define "seckill.peersOf" -}}
- podSelector:
    matchLabels:
      {{- include "seckill.selectorLabels" . | nindent 6 }}
{{- end -}}

{{/* (root, port) Whoever reads metrics; nobody where nothing says that they are read. */}}
{{- define "seckill.ingressOfMonitoring" -}}
{{- $monitoring := .root.Values.monitoring -}}
{{- $from := .root.Values.networkPolicy.monitoring.from -}}
{{- if or $from $monitoring.scrapeAnnotations $monitoring.podMonitor.enabled }}
- ports:
    - port: {{ .port }}
      protocol: TCP
  from:
    {{- toYaml ($from | default (list (dict "namespaceSelector" dict))) | nindent 4 }}
{{- end }}
{{- end -}}

{{/* (root, port) The edge, those who stand beside it, and whoever reads metrics. */}}
{{- define "seckill.ingressOfEdge" -}}
- ports:
    - port: 8080
      protocol: TCP
  from:
    {{- include "seckill.peersOf" (dict "root" .root "component" "edge") | nindent 4 }}
    {{- with .root.Values.networkPolicy.edge.from }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- include "seckill.ingressOfMonitoring" (dict "root" .root "port" 8080) }}
{{- end -}}
