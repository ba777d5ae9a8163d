{{/* The builder of R packages from Git: names, claim, rstudio-pm.gcfg. */}}

{{- define "offhost.builderSelectorLabels" -}}
app.kubernetes.io/name: {{ include "offhost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: builder
{{- end -}}

{{- define "offhost.builderLabels" -}}
{{ include "offhost.commonLabels" . }}
app.kubernetes.io/component: builder
{{- end -}}

{{- define "offhost.builderServiceAccountName" -}}
{{- if .Values.builder.serviceAccount.create -}}
{{- default (printf "%s-builder" (include "offhost.fullname" .)) .Values.builder.serviceAccount.name -}}
{{- else -}}
{{- .Values.builder.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "offhost.builderClaim" -}}
{{- .Values.builder.claim.existing | default (include "offhost.claimName" .) -}}
{{- end -}}

{{/* The directory of that claim in which the builder's own is made; its top when empty. */}}
{{- define "offhost.builderBase" -}}
{{- if not .Values.builder.claim.existing -}}
{{- .Values.dataClaim.subPath -}}
{{- end -}}
{{- end -}}

{{/* The builder's own directory of that claim; its top when empty. */}}
{{- define "offhost.builderSubPath" -}}
{{- list (include "offhost.builderBase" .) .Values.builder.claim.subPath | compact | join "/" -}}
{{- end -}}

{{- define "offhost.builderDataDir" -}}
/var/lib/rstudio-pm
{{- end -}}

{{- define "offhost.builderGcfg" -}}
; Made by the chart. The first sections are from values that stand for settings, the others from `builder.config`.

[Server]
DataDir = {{ include "offhost.gcfg.value" (include "offhost.builderDataDir" .) }}

[Git]
BuildExecutor = kubernetes

[ExecutionEnvironments]
ConfigFilePath = {{ include "offhost.gcfg.value" (include "offhost.runtimesFile" .) }}

[Kubernetes]
{{- $kubernetes := omit (include "offhost.kubernetes" . | fromJson) "HomeSizeLimit" "TTLSecondsAfterFinished" "DataDirPVCSubPath" -}}
{{- $_ := set $kubernetes "DataDirPVCName" (include "offhost.builderClaim" .) -}}
{{- with include "offhost.builderSubPath" . -}}
{{- $_ := set $kubernetes "DataDirPVCSubPath" . -}}
{{- end -}}
{{- $_ := set $kubernetes "TmpSizeLimit" .Values.builder.tmpSizeLimit -}}
{{- include "offhost.gcfg.section" $kubernetes }}
{{- range $section, $keys := .Values.builder.config }}
{{- if $keys }}

[{{ $section }}]
{{- include "offhost.gcfg.section" $keys }}
{{- end }}
{{- end }}
{{ end -}}

{{- define "offhost.validate.builder" -}}
{{- $builder := .Values.builder -}}
{{- if $builder.enabled -}}
{{- if not $builder.builders -}}
{{- fail "builder.enabled is true, and builder.builders is empty; name the repositories that are to be built, as in builders.yaml" -}}
{{- end -}}
{{- $account := include "offhost.builderServiceAccountName" . -}}
{{- if not $account -}}
{{- fail "the builder has no service account; set builder.serviceAccount.name to the name of one, or builder.serviceAccount.create=true" -}}
{{- end -}}
{{- if has $account (list (include "offhost.serviceAccountName" .) (include "offhost.gatewayServiceAccountName" .) (include "offhost.contentServiceAccountName" .)) -}}
{{- fail (printf "the builder has the service account '%s' of the controller, of the gateway or of content; give it one of its own with builder.serviceAccount.name" $account) -}}
{{- end -}}
{{- range $section, $keys := $builder.config -}}
{{- range $key, $value := $keys -}}
{{- $name := lower (printf "%s.%s" (regexReplaceAll "\\s.*" $section "") $key) -}}
{{- if or (has $name (list "server.datadir" "git.buildexecutor" "executionenvironments.configfilepath")) (and (hasPrefix "kubernetes." $name) (ne $name "kubernetes.starttimeout")) -}}
{{- fail (printf "builder.config sets [%s] %s, which other values stand for; set builder.claim, builder.tmpSizeLimit, runtimes or content instead" $section $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $key, $value := $builder.podLabels -}}
{{- if hasPrefix "app.kubernetes.io/" $key -}}
{{- fail (printf "builder.podLabels sets %s, by which the release finds its own Pods; remove it" $key) -}}
{{- end -}}
{{- end -}}
{{- $names := dict "POD_NAME" "" "POD_NAMESPACE" "" "POD_UID" "" -}}
{{- range $builder.extraEnv -}}
{{- if hasKey $names .name -}}
{{- fail (printf "builder.extraEnv sets %s, which is there already; remove it" .name) -}}
{{- end -}}
{{- $_ := set $names .name "" -}}
{{- end -}}
{{- end -}}
{{- end -}}
