{{/* Names, labels and images. */}}

{{- define "offhost.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* Prefix of the names of objects; short enough for what is put behind it. */}}
{{- define "offhost.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else if contains (include "offhost.name" .) .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "offhost.name" .) | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Name of objects without a namespace, so that two releases do not meet. */}}
{{- define "offhost.clusterName" -}}
{{- printf "%s.%s" (include "offhost.fullname" .) .Release.Namespace -}}
{{- end -}}

{{- define "offhost.selectorLabels" -}}
app.kubernetes.io/name: {{ include "offhost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "offhost.commonLabels" -}}
app.kubernetes.io/name: {{ include "offhost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: offhost
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "offhost.labels" -}}
{{ include "offhost.commonLabels" . }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "offhost.gatewaySelectorLabels" -}}
app.kubernetes.io/name: {{ include "offhost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- define "offhost.gatewayLabels" -}}
{{ include "offhost.commonLabels" . }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- define "offhost.gatewayServiceAccountName" -}}
{{- if .Values.gateway.serviceAccount.create -}}
{{- default (printf "%s-gateway" (include "offhost.fullname" .)) .Values.gateway.serviceAccount.name -}}
{{- else -}}
{{- .Values.gateway.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "offhost.serviceAccountName" -}}
{{- default (include "offhost.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{/* Empty where content runs as the namespace's default. */}}
{{- define "offhost.contentServiceAccountName" -}}
{{- if .Values.content.serviceAccount.create -}}
{{- default (printf "%s-content" (include "offhost.fullname" .)) .Values.content.serviceAccount.name -}}
{{- else -}}
{{- .Values.content.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "offhost.claimName" -}}
{{- if .Values.dataClaim.existing -}}
{{- .Values.dataClaim.existing -}}
{{- else -}}
{{- printf "%s-data" (include "offhost.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* Reference of an image: `list CONTEXT "execImage"`. Registry and tag of another than `image` are those of `image`. */}}
{{- define "offhost.image" -}}
{{- $root := index . 0 -}}
{{- $image := get $root.Values (index . 1) -}}
{{- $registry := default $root.Values.image.registry $image.registry | trimSuffix "/" -}}
{{- $name := $image.repository -}}
{{- if $registry -}}
{{- $name = printf "%s/%s" $registry $image.repository -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name ($image.tag | default $root.Values.image.tag | default $root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* What every container of the chart is refused, as the level `restricted` asks for. */}}
{{- define "offhost.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
    - ALL
{{- end -}}

{{- define "offhost.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: {{ .Values.runAs.uid | int64 }}
runAsGroup: {{ .Values.runAs.gid | int64 }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Where visitors come in at a gateway's Pod. A number for the proxy: not every network finds the ports of a sidecar by name. */}}
{{- define "offhost.gatewayPort" -}}
{{- if .Values.gateway.logInProxy.container }}{{ int .Values.gateway.logInProxy.port }}{{ else }}http{{ end -}}
{{- end -}}
