{{/* Names and labels. A component is "manager", "control-plane" or "gateway"; its values stand under the key that
     krypton.values finds. */}}

{{- define "krypton.values" -}}
{{- if eq .component "control-plane" }}{{ toYaml .root.Values.controlPlane }}{{ else }}{{ toYaml (get .root.Values .component) }}{{ end }}
{{- end }}

{{- define "krypton.chart" -}}
{{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "krypton.selector" -}}
app.kubernetes.io/name: krypton
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "krypton.labels" -}}
{{ include "krypton.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: krypton
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ include "krypton.chart" .root }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* krypton.image {root, name}: a name with a digest stands for itself. */}}
{{- define "krypton.image" -}}
{{- $image := printf "%s/%s" (.root.Values.image.registry | trimSuffix "/") .name -}}
{{- if contains "@" .name }}{{ $image }}{{ else }}{{ $image }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "krypton.serviceAccount" -}}
{{- $values := include "krypton.values" . | fromYaml -}}
{{ $values.serviceAccount.name | default (printf "krypton-%s" .component) }}
{{- end }}

{{/* The DNS name of a component's Service. */}}
{{- define "krypton.host" -}}
krypton-{{ .component }}.{{ .root.Release.Namespace }}.svc
{{- end }}

{{- define "krypton.gatewayUrl" -}}
{{ .Values.manager.gatewayUrl | default (printf "http://%s:%d" (include "krypton.host" (dict "root" . "component" "gateway")) (int .Values.gateway.service.port)) }}
{{- end }}

{{- define "krypton.tlsArgs" -}}
- --tls-cert=/etc/krypton/tls/tls.crt
- --tls-key=/etc/krypton/tls/tls.key
- --tls-ca=/etc/krypton/tls/ca.crt
{{- end }}
