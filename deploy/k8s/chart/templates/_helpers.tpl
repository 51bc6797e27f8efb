{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/* Of all that is made; no name here is as long as 63. A name that had to be changed is told apart by a hash. */}}
{{- define "segue.name" -}}
{{- $name := .Release.Name | replace "." "-" -}}
{{- if or (ne $name .Release.Name) (gt (len $name) 40) -}}
{{- printf "%s-%s" ($name | trunc 31 | trimSuffix "-") (.Release.Name | sha256sum | trunc 8) -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end }}

{{- define "segue.labels" -}}
app.kubernetes.io/name: segue
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "segue.selector" -}}
app.kubernetes.io/name: segue
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}

{{- define "segue.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- end }}

{{- define "segue.soundtracks" -}}
{{- .Values.soundtracks.configMap | default (printf "%s-soundtracks" (include "segue.name" .)) -}}
{{- end }}

{{- define "segue.hasSoundtracks" -}}
{{- if or .Values.soundtracks.files .Values.soundtracks.configMap }}yes{{ end -}}
{{- end }}

{{/* preStop, then drain_ms, then the last goodbyes, then what the engine takes to stop. */}}
{{- define "segue.graceSeconds" -}}
{{- add .Values.drain.preStopSeconds (div (add .Values.drain.ms .Values.drain.goodbyeMs 999) 1000) 10 -}}
{{- end }}

{{/* The settings file of `segue serve`. What the chart decides wins over .Values.settings. */}}
{{- define "segue.settings" -}}
{{- $own := dict "host" "0.0.0.0" "port" 7470 "web_host" "0.0.0.0" "web_port" 7471 "metrics_host" "0.0.0.0"
  "metrics_port" 9464 "drain_ms" .Values.drain.ms "goodbye_ms" .Values.drain.goodbyeMs -}}
{{- if not .Values.soundtracks.hotReload }}{{ $_ := set $own "soundtrack_reload_ms" 0 }}{{ end -}}
{{- if .Values.allowAnonymous }}{{ $_ := set $own "allow_anonymous" true }}{{ end -}}
{{- if .Values.secrets.tenants }}{{ $_ := set $own "tenants_file" "/etc/segue/tenants/tenants.yaml" }}{{ end -}}
{{- if .Values.secrets.jwks -}}
{{- $_ := set $own "jwks_file" "/etc/segue/jwks/jwks.json" -}}
{{- $_ := set $own "jwt_issuer" .Values.jwt.issuer -}}
{{- $_ := set $own "jwt_audience" .Values.jwt.audience -}}
{{- end -}}
{{- if .Values.secrets.resumeKeys }}{{ $_ := set $own "resume_keys_file" "/etc/segue/resume/keys.txt" }}{{ end -}}
{{- if .Values.secrets.operatorToken }}{{ $_ := set $own "operator_token_file" "/etc/segue/operator/token" }}{{ end -}}
{{- if .Values.frontDoor.origins }}{{ $_ := set $own "web_origins" .Values.frontDoor.origins }}{{ end -}}
{{- if .Values.tls.secretName -}}
{{- $_ := set $own "tls_cert" "/etc/segue/tls/tls.crt" -}}
{{- $_ := set $own "tls_key" "/etc/segue/tls/tls.key" -}}
{{- if .Values.tls.clientCertificates }}{{ $_ := set $own "tls_client_ca" "/etc/segue/tls/ca.crt" }}{{ end -}}
{{- end -}}
{{- merge $own .Values.settings (dict "log_format" "json") | toPrettyJson -}}
{{- end }}

{{/* Folder below /etc/segue → Secret. */}}
{{- define "segue.secretFolders" -}}
{{- $all := dict "tenants" .Values.secrets.tenants "jwks" .Values.secrets.jwks "resume" .Values.secrets.resumeKeys
  "operator" .Values.secrets.operatorToken "tls" .Values.tls.secretName -}}
{{- range $folder, $secret := $all }}{{ if $secret }}
{{ $folder }}: {{ $secret }}
{{- end }}{{ end }}
{{- end }}

{{- define "segue.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "segue.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}
