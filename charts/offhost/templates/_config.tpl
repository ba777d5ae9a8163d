{{/* rstudio-connect.gcfg from `config:` and from the values that stand for settings. */}}

{{/* One value as gcfg writes it. YAML's numbers arrive as floats; a whole one is written without a point. */}}
{{- define "offhost.gcfg.value" -}}
{{- if kindIs "string" . -}}
"{{ . | replace "\\" "\\\\" | replace "\"" "\\\"" | replace "\n" "\\n" | replace "\t" "\\t" }}"
{{- else if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- printf "%.0f" . -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/* The lines of a section: `dict KEY VALUE…`. A key alone empties a list. */}}
{{- define "offhost.gcfg.section" -}}
{{- range $key, $value := . -}}
{{- if kindIs "slice" $value -}}
{{- if not $value }}
{{ $key }}
{{- end -}}
{{- range $value }}
{{ $key }} = {{ include "offhost.gcfg.value" . }}
{{- end -}}
{{- else if not (kindIs "invalid" $value) }}
{{ $key }} = {{ include "offhost.gcfg.value" $value }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The settings of [Kubernetes] that values stand for, as JSON; without those left to the program. */}}
{{- define "offhost.kubernetes" -}}
{{- $content := .Values.content -}}
{{- $secrets := list -}}
{{- range concat .Values.imagePullSecrets $content.imagePullSecrets -}}
{{- $secrets = append $secrets .name -}}
{{- end -}}
{{- $selector := list -}}
{{- range $key, $value := $content.nodeSelector -}}
{{- $selector = append $selector (printf "%s=%s" $key $value) -}}
{{- end -}}
{{- $tolerations := list -}}
{{- range $content.tolerations -}}
{{- $toleration := .key -}}
{{- if .value -}}
{{- $toleration = printf "%s=%s" $toleration .value -}}
{{- end -}}
{{- $toleration = printf "%s:%s" $toleration .effect -}}
{{- if hasKey . "tolerationSeconds" -}}
{{- $toleration = printf "%s:%d" $toleration (int64 .tolerationSeconds) -}}
{{- end -}}
{{- $tolerations = append $tolerations $toleration -}}
{{- end -}}
{{- $all := dict
  "Namespace" .Release.Namespace
  "DataDirPVCName" (include "offhost.claimName" .)
  "DataDirPVCSubPath" .Values.dataClaim.subPath
  "ExecImage" (include "offhost.image" (list . "execImage"))
  "ImageVolumes" $content.imageVolumes
  "ImagePullPolicy" $content.imagePullPolicy
  "ImagePullSecret" ($secrets | uniq)
  "ServiceAccount" (include "offhost.contentServiceAccountName" .)
  "RuntimeClassName" $content.runtimeClassName
  "PriorityClassName" $content.priorityClassName
  "UserNamespaces" $content.userNamespaces
  "NodeSelector" $selector
  "Toleration" $tolerations
  "TmpSizeLimit" $content.tmpSizeLimit
  "HomeSizeLimit" $content.homeSizeLimit
  "NodeLostSeconds" (int64 $content.nodeLostSeconds)
  "TTLSecondsAfterFinished" (int64 $content.ttlSecondsAfterFinished)
-}}
{{- $given := dict -}}
{{- range $key, $value := $all -}}
{{- if not (has (toString $value) (list "" "[]")) -}}
{{- $_ := set $given $key $value -}}
{{- end -}}
{{- end -}}
{{- toJson $given -}}
{{- end -}}

{{/* `config:` with names as gcfg compares them: `section.key` in lower case, as JSON. */}}
{{- define "offhost.config.flat" -}}
{{- $flat := dict -}}
{{- range $section, $keys := .Values.config -}}
{{- range $key, $value := $keys -}}
{{- $_ := set $flat (lower (printf "%s.%s" (regexReplaceAll "\\s.*" $section "") $key)) $value -}}
{{- end -}}
{{- end -}}
{{- toJson $flat -}}
{{- end -}}

{{- define "offhost.dataDir" -}}
{{- get (include "offhost.config.flat" . | fromJson) "server.datadir" | default "/var/lib/rstudio-connect" -}}
{{- end -}}

{{- define "offhost.tlsDir" -}}
/etc/offhost/tls
{{- end -}}

{{- define "offhost.keysDir" -}}
/etc/offhost/keys
{{- end -}}

{{/* The settings of the gateway that values stand for, as JSON: section to keys. */}}
{{- define "offhost.gatewaySettings" -}}
{{- $gateway := .Values.gateway -}}
{{- $all := dict -}}
{{- if $gateway.enabled -}}
{{- $own := dict "DrainTimeout" (printf "%ds" (int64 $gateway.drainSeconds)) -}}
{{- if $gateway.sessionKeySecret -}}
{{- $_ := set $own "SessionKeyFile" (printf "%s/keys" (include "offhost.keysDir" .)) -}}
{{- end -}}
{{- $_ := set $all "Gateway" $own -}}
{{- if $gateway.tls.secretName -}}
{{- $tls := include "offhost.tlsDir" . -}}
{{- $_ := set $all "HTTPS" (dict "Listen" ":3443" "Certificate" (printf "%s/tls.crt" $tls) "Key" (printf "%s/tls.key" $tls)) -}}
{{- end -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}

{{- define "offhost.runtimesFile" -}}
/etc/offhost/runtimes/runtimes.yaml
{{- end -}}

{{- define "offhost.gcfg" -}}
; Made by the chart. The first sections are from values that stand for settings, the others from `config`.

[Applications]
RunAs = {{ include "offhost.gcfg.value" .Values.runAs.name }}

[ExecutionEnvironments]
ConfigFilePath = {{ include "offhost.gcfg.value" (include "offhost.runtimesFile" .) }}

[Kubernetes]
{{- include "offhost.gcfg.section" (include "offhost.kubernetes" . | fromJson) }}
{{- range $section, $keys := include "offhost.gatewaySettings" . | fromJson }}

[{{ $section }}]
{{- include "offhost.gcfg.section" $keys }}
{{- end }}
{{- range $section, $keys := .Values.config }}
{{- if $keys }}

[{{ $section }}]
{{- include "offhost.gcfg.section" $keys }}
{{- end }}
{{- end }}
{{ end -}}

{{/* runtimes.yaml: as it was given, or the one image that this project makes. */}}
{{- define "offhost.runtimes" -}}
{{- if kindIs "string" .Values.runtimes -}}
{{- .Values.runtimes -}}
{{- else if .Values.runtimes -}}
{{- toYaml .Values.runtimes -}}
{{- else -}}
images:
  - name: {{ include "offhost.image" (list . "contentImage") | quote }}
    title: R 4.2.2, Python 3.11.2 and Node.js 18.20.4
    r:
      installations:
        - version: "4.2.2"
          path: /usr/bin/R
    python:
      installations:
        - version: "3.11.2"
          path: /usr/bin/python3
    nodejs:
      installations:
        - version: "18.20.4"
          path: /usr/bin/node
{{- end -}}
{{- end -}}

{{/* The controller's /etc/passwd. */}}
{{- define "offhost.passwd" -}}
root:x:0:0:root:/root:/usr/sbin/nologin
{{ .Values.runAs.name }}:x:{{ int64 .Values.runAs.uid }}:{{ int64 .Values.runAs.gid }}::/home/{{ .Values.runAs.name }}:/usr/sbin/nologin
{{- range .Values.accounts }}
{{ .name }}:x:{{ int64 .uid }}:{{ int64 .gid }}::{{ default (printf "/home/%s" .name) .home }}:/usr/sbin/nologin
{{- end }}
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
{{ end -}}

{{/* The controller's /etc/group, with a group for each gid of an account that none was given for. */}}
{{- define "offhost.group" -}}
{{- $named := dict "0" "" "65534" "" -}}
root:x:0:
{{- range .Values.groups }}
{{- $_ := set $named (toString (int64 .gid)) "" }}
{{ .name }}:x:{{ int64 .gid }}:{{ join "," .members }}
{{- end }}
{{- range prepend .Values.accounts .Values.runAs }}
{{- if not (hasKey $named (toString (int64 .gid))) }}
{{- $_ := set $named (toString (int64 .gid)) "" }}
{{ .name }}:x:{{ int64 .gid }}:
{{- end }}
{{- end }}
nogroup:x:65534:
{{ end -}}
