{{- define "canary-split.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: canary-split
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "canary-split.url" -}}
{{- with .Values.image -}}
{{- if .url -}}
{{ .url }}
{{- else if .digest -}}
oci://{{ .repository }}@{{ .digest }}
{{- else -}}
oci://{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* Which gateway, and where in its chain. */ -}}
{{- define "canary-split.place" -}}
{{- if .Values.gateway.targetRefs -}}
targetRefs:
{{- toYaml .Values.gateway.targetRefs | nindent 0 }}
{{- else -}}
selector:
  matchLabels:
    {{- toYaml (.Values.gateway.labels | default (dict "istio" "ingressgateway")) | nindent 4 }}
{{- end }}
{{- with .Values.phase }}
phase: {{ . }}
{{- end }}
{{- if hasKey .Values "priority" }}
priority: {{ .Values.priority | int }}
{{- end }}
{{- end }}

{{- /* The module and its config. */ -}}
{{- define "canary-split.module" -}}
url: {{ include "canary-split.url" . | quote }}
{{- with .Values.image.sha256 }}
sha256: {{ . | quote }}
{{- end }}
{{- with .Values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- with .Values.image.pullSecret }}
imagePullSecret: {{ . }}
{{- end }}
failStrategy: {{ .Values.failStrategy }}
pluginName: {{ .Values.name }}
{{- with .Values.vmConfig }}
vmConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
pluginConfig:
  {{- include "canary-split.config" . | nindent 2 }}
{{- end }}

{{- define "canary-split.config" -}}
{{- $config := dict "rules" (.Values.rules | default list) }}
{{- range list "header" "responseHeader" "seal" }}
{{- if hasKey $.Values . }}
{{- $_ := set $config . (index $.Values .) }}
{{- end }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{- /* Where Envoy Gateway gets the module: it has no oci:// in front of an image. */ -}}
{{- define "canary-split.code" -}}
{{- $url := include "canary-split.url" . -}}
{{- $isImage := hasPrefix "oci://" $url -}}
type: {{ ternary "Image" "HTTP" $isImage }}
{{- with .Values.image.pullPolicy }}
pullPolicy: {{ . }}
{{- end }}
{{ ternary "image" "http" $isImage }}:
  url: {{ trimPrefix "oci://" $url | quote }}
  {{- with .Values.image.sha256 }}
  sha256: {{ . | quote }}
  {{- end }}
  {{- with .Values.image.pullSecret }}
  pullSecretRef: {name: {{ . }}}
  {{- end }}
{{- end }}

{{- /* A file, with the label by which Prometheus tells this gateway's pods from sidecars. */ -}}
{{- define "canary-split.file" -}}
{{- index . 0 | replace "ingressgateway" ((index . 1).Values.gateway.labels.istio | default "ingressgateway") -}}
{{- end }}
