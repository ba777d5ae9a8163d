{{/* What values.schema.json can not say: values that contradict each other. */}}

{{- define "offhost.validate" -}}
{{- include "offhost.validate.claim" . -}}
{{- include "offhost.validate.config" . -}}
{{- include "offhost.validate.accounts" . -}}
{{- include "offhost.validate.people" . -}}
{{- include "offhost.validate.env" . -}}
{{- include "offhost.validate.tolerations" . -}}
{{- include "offhost.validate.labels" . -}}
{{- include "offhost.validate.gateway" . -}}
{{- include "offhost.validate.builder" . -}}
{{- if and .Values.crds.install (not (.Files.Glob "files/crds/*.yaml")) -}}
{{- fail "the chart has no definitions in files/crds, so it is not whole; take a released chart, or write them with `offhost crd --directory charts/offhost/files/crds`" -}}
{{- end -}}
{{- end -}}

{{- define "offhost.validate.claim" -}}
{{- $claim := .Values.dataClaim -}}
{{- if and $claim.create $claim.existing -}}
{{- fail (printf "dataClaim.create makes a claim, and dataClaim.existing names '%s'; set dataClaim.create=false to use that one, or leave dataClaim.existing empty" $claim.existing) -}}
{{- end -}}
{{- if not (or $claim.create $claim.existing) -}}
{{- fail "there is no claim for the data; set dataClaim.existing to the name of one, or dataClaim.create=true" -}}
{{- end -}}
{{- if $claim.create -}}
{{- if has "ReadWriteOncePod" $claim.accessModes -}}
{{- fail "dataClaim.accessModes has ReadWriteOncePod, with which no content Pod could mount the volume beside the controller; use ReadWriteMany, or ReadWriteOnce on one node" -}}
{{- end -}}
{{- if not (or (has "ReadWriteMany" $claim.accessModes) (has "ReadWriteOnce" $claim.accessModes)) -}}
{{- fail "dataClaim.accessModes has no mode in which the volume can be written; use ReadWriteMany, or ReadWriteOnce on one node" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "offhost.validate.config" -}}
{{- $spelt := dict -}}
{{- range $section, $keys := .Values.config -}}
{{- if not (regexMatch "^[A-Za-z][A-Za-z0-9-]*( \"[^\"\\\\\\n]+\")?$" $section) -}}
{{- fail (printf "config has the section %q; write the name alone, or Section \"name\" with the name in quotes" $section) -}}
{{- end -}}
{{- range $key, $value := $keys -}}
{{- if not (regexMatch "^[A-Za-z][A-Za-z0-9-]*$" $key) -}}
{{- fail (printf "config has the key %q in [%s]; a key is a letter followed by letters, digits and '-'" $key $section) -}}
{{- end -}}
{{- $name := lower (printf "%s.%s" $section $key) -}}
{{- if hasKey $spelt $name -}}
{{- fail (printf "config sets [%s] %s twice, in different spelling; keep one of them" $section $key) -}}
{{- end -}}
{{- $_ := set $spelt $name "" -}}
{{- range (kindIs "slice" $value | ternary $value (list $value)) -}}
{{- if regexMatch "[\\x00-\\x08\\x0b-\\x1f]" (toString .) -}}
{{- fail (printf "config sets [%s] %s to a value with a control character, which gcfg can not hold; remove it" $section $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $flat := include "offhost.config.flat" . | fromJson -}}
{{- $owned := dict
  "Kubernetes.Namespace" "install the release in the namespace it is to serve"
  "Kubernetes.DataDirPVCName" "set dataClaim.existing"
  "Kubernetes.DataDirPVCSubPath" "set dataClaim.subPath"
  "Kubernetes.ExecImage" "set execImage"
  "Kubernetes.ImageVolumes" "set content.imageVolumes"
  "Kubernetes.ImagePullPolicy" "set content.imagePullPolicy"
  "Kubernetes.ImagePullSecret" "set imagePullSecrets or content.imagePullSecrets"
  "Kubernetes.ServiceAccount" "set content.serviceAccount"
  "Kubernetes.RuntimeClassName" "set content.runtimeClassName"
  "Kubernetes.PriorityClassName" "set content.priorityClassName"
  "Kubernetes.UserNamespaces" "set content.userNamespaces"
  "Kubernetes.NodeSelector" "set content.nodeSelector"
  "Kubernetes.Toleration" "set content.tolerations"
  "Kubernetes.TmpSizeLimit" "set content.tmpSizeLimit"
  "Kubernetes.HomeSizeLimit" "set content.homeSizeLimit"
  "Kubernetes.NodeLostSeconds" "set content.nodeLostSeconds"
  "Kubernetes.TTLSecondsAfterFinished" "set content.ttlSecondsAfterFinished"
  "ExecutionEnvironments.ConfigFilePath" "put what the file says into runtimes"
  "Launcher.KubernetesNamespace" "install the release in the namespace it is to serve"
  "Launcher.DataDirPVCName" "set dataClaim.existing"
  "Launcher.ClusterDefinition" "put what the file says into runtimes"
  "Applications.RunAs" "set runAs"
  "HTTP.Listen" "set gateway.service.port"
  "HTTPS.Listen" "set gateway.service.httpsPort"
  "HTTPS.Certificate" "set gateway.tls.secretName"
  "HTTPS.Key" "set gateway.tls.secretName"
  "Gateway.DrainTimeout" "set gateway.drainSeconds"
  "Gateway.SessionKeyFile" "set gateway.sessionKeySecret"
-}}
{{- range $name, $remedy := $owned -}}
{{- if hasKey $flat (lower $name) -}}
{{- fail (printf "config sets %s, which the chart sets itself; remove it there and %s" $name $remedy) -}}
{{- end -}}
{{- end -}}
{{- $dataDir := include "offhost.dataDir" . -}}
{{- if not (regexMatch "^(/[^/]+)+$" $dataDir) -}}
{{- fail (printf "config sets Server.DataDir to '%s', at which no volume can be mounted; give an absolute path below the root, without a slash at its end" $dataDir) -}}
{{- end -}}
{{- if regexMatch "^/(etc|tmp|usr|bin|sbin|lib|lib64|proc|dev|sys)(/|$)|^/(var|var/lib|var/run|run|opt)$" $dataDir -}}
{{- fail (printf "config sets Server.DataDir to '%s', where the image or Kubernetes has files of its own; use a directory such as /var/lib/rstudio-connect" $dataDir) -}}
{{- end -}}
{{- end -}}

{{- define "offhost.validate.accounts" -}}
{{- $names := dict "root" "" "nobody" "" .Values.runAs.name "" -}}
{{- range .Values.accounts -}}
{{- if hasKey $names .name -}}
{{- fail (printf "accounts has '%s', which is there already; keep one of them, and set runAs for the default account" .name) -}}
{{- end -}}
{{- $_ := set $names .name "" -}}
{{- end -}}
{{- $groups := dict "root" "" "nogroup" "" -}}
{{- $gids := dict -}}
{{- range .Values.groups -}}
{{- if or (hasKey $groups .name) (hasKey $gids (toString (int64 .gid))) -}}
{{- fail (printf "groups has the name '%s' or the gid %d twice; keep one of them" .name (int64 .gid)) -}}
{{- end -}}
{{- $_ := set $groups .name "" -}}
{{- $_ := set $gids (toString (int64 .gid)) "" -}}
{{- $group := .name -}}
{{- range .members -}}
{{- if not (hasKey $names .) -}}
{{- fail (printf "groups gives '%s' the member '%s', which is no account; add it to accounts" $group .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range prepend .Values.accounts .Values.runAs -}}
{{- if not (hasKey $gids (toString (int64 .gid))) -}}
{{- if hasKey $groups .name -}}
{{- fail (printf "the account '%s' has the gid %d, and the group '%s' has another; give the group that gid, or add a group for it" .name (int64 .gid) .name) -}}
{{- end -}}
{{- $_ := set $groups .name "" -}}
{{- $_ := set $gids (toString (int64 .gid)) "" -}}
{{- end -}}
{{- end -}}
{{- if .Values.content.userNamespaces -}}
{{- range concat (list .Values.runAs) .Values.accounts .Values.groups -}}
{{- if or (gt (int64 (default 0 .uid)) 65535) (gt (int64 .gid) 65535) -}}
{{- fail (printf "'%s' has an id above 65535, which a Pod with content.userNamespaces does not have; give it a lower one, or set content.userNamespaces=false" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $shared := get (include "offhost.config.flat" . | fromJson) "applications.sharedrunasunixgroup" -}}
{{- if and $shared (not (hasKey $groups $shared)) -}}
{{- fail (printf "config sets Applications.SharedRunAsUnixGroup to '%s', which is no group; add it to groups" $shared) -}}
{{- end -}}
{{- end -}}

{{- define "offhost.validate.people" -}}
{{- if not (or .Values.serviceAccount.create .Values.serviceAccount.name) -}}
{{- fail "the controller has no service account; set serviceAccount.name to the name of one, or serviceAccount.create=true" -}}
{{- end -}}
{{- if eq (include "offhost.serviceAccountName" .) (include "offhost.contentServiceAccountName" .) -}}
{{- fail (printf "content and the controller have the same service account '%s', so that content could do what the controller may; give one of them another name" (include "offhost.serviceAccountName" .)) -}}
{{- end -}}
{{- if .Values.gateway.enabled -}}
{{- $gateway := include "offhost.gatewayServiceAccountName" . -}}
{{- if not $gateway -}}
{{- fail "the gateway has no service account; set gateway.serviceAccount.name to the name of one, or gateway.serviceAccount.create=true" -}}
{{- end -}}
{{- if has $gateway (list (include "offhost.serviceAccountName" .) (include "offhost.contentServiceAccountName" .)) -}}
{{- fail (printf "the gateway has the service account '%s' of the controller or of content; give it one of its own with gateway.serviceAccount.name" $gateway) -}}
{{- end -}}
{{- end -}}
{{- if and (not .Values.roles.create) (or .Values.roles.publishers .Values.roles.administrators) -}}
{{- fail "roles.publishers and roles.administrators bind roles that roles.create=false does not make; set roles.create=true, or empty both" -}}
{{- end -}}
{{- end -}}

{{- define "offhost.validate.labels" -}}
{{- $own := include "offhost.labels" . | fromYaml -}}
{{- range $key, $value := .Values.controller.podLabels -}}
{{- if hasKey $own $key -}}
{{- fail (printf "controller.podLabels sets %s, by which the release finds its own Pods; remove it" $key) -}}
{{- end -}}
{{- end -}}
{{- range $key, $value := .Values.gateway.podLabels -}}
{{- if hasKey $own $key -}}
{{- fail (printf "gateway.podLabels sets %s, by which the release finds its own Pods; remove it" $key) -}}
{{- end -}}
{{- end -}}
{{- if eq (include "offhost.name" .) "offhost-content" -}}
{{- fail "nameOverride is offhost-content, by which network policies find content; use another name" -}}
{{- end -}}
{{- end -}}

{{- define "offhost.validate.env" -}}
{{- $taken := list "OFFHOST_SERVER_DATADIR" "OFFHOST_APPLICATIONS_RUNAS" "OFFHOST_HTTP_LISTEN" "OFFHOST_HTTPS_LISTEN" -}}
{{- range $part := list "controller" "gateway" -}}
{{- $names := dict "POD_NAME" "" "POD_NAMESPACE" "" "POD_IP" "" -}}
{{- range (get $.Values $part).extraEnv -}}
{{- if hasKey $names .name -}}
{{- fail (printf "%s.extraEnv sets %s, which is there already; remove it" $part .name) -}}
{{- end -}}
{{- $_ := set $names .name "" -}}
{{- if or (regexMatch "^OFFHOST_(KUBERNETES|EXECUTIONENVIRONMENTS|LAUNCHER)_" .name) (has .name $taken) -}}
{{- fail (printf "%s.extraEnv sets %s, and the chart needs to know that setting; use the chart's values or config instead" $part .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "offhost.validate.tolerations" -}}
{{- range .Values.content.tolerations -}}
{{- if and (ne (default "Equal" .operator) "Exists") (not .value) -}}
{{- fail (printf "content.tolerations has the key '%s' without a value; give its value, or operator: Exists for any" .key) -}}
{{- end -}}
{{- if and (eq (default "Equal" .operator) "Exists") .value -}}
{{- fail (printf "content.tolerations has the key '%s' with operator: Exists, which takes no value; remove one of the two" .key) -}}
{{- end -}}
{{- if and (hasKey . "tolerationSeconds") (ne .effect "NoExecute") -}}
{{- fail (printf "content.tolerations has the key '%s' with tolerationSeconds, which only the effect NoExecute takes; remove it" .key) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "offhost.validate.gateway" -}}
{{- $gateway := .Values.gateway -}}
{{- if and $gateway.ingress.enabled (not $gateway.ingress.hosts) -}}
{{- fail "gateway.ingress.enabled makes an Ingress, and gateway.ingress.hosts is empty; name the hosts that visitors type" -}}
{{- end -}}
{{- if and $gateway.httpRoute.enabled (not $gateway.httpRoute.parentRefs) -}}
{{- fail "gateway.httpRoute.enabled makes an HTTPRoute, and gateway.httpRoute.parentRefs is empty; name the Gateway it belongs to" -}}
{{- end -}}
{{- if $gateway.logInProxy.container -}}
{{- if not (and $gateway.logInProxy.container.name $gateway.logInProxy.container.image) -}}
{{- fail "gateway.logInProxy.container has no name or no image; give both, as a container of a Pod has them" -}}
{{- end -}}
{{- if $gateway.tls.secretName -}}
{{- fail "gateway.logInProxy lets people log in before the gateway, and gateway.tls.secretName would let them past it; end TLS at the Ingress or in the proxy" -}}
{{- end -}}
{{- $flat := include "offhost.config.flat" . | fromJson -}}
{{- if ne (get $flat "authentication.provider" | toString | lower) "proxy" -}}
{{- fail "gateway.logInProxy is there, and nobody is known by its word; set config.Authentication.Provider to proxy" -}}
{{- end -}}
{{- if ne (get $flat "proxyauth.from" | toString | trimAll "[]") "127.0.0.1" -}}
{{- fail "gateway.logInProxy runs beside the gateway; set config.ProxyAuth.From to [127.0.0.1], so that nobody else's word counts" -}}
{{- end -}}
{{- end -}}
{{- if and $gateway.autoscaling.enabled (gt (int $gateway.autoscaling.minReplicas) (int $gateway.autoscaling.maxReplicas)) -}}
{{- fail (printf "gateway.autoscaling.minReplicas is %d, above gateway.autoscaling.maxReplicas, which is %d; lower the first" (int $gateway.autoscaling.minReplicas) (int $gateway.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- end -}}
