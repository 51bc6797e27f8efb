{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/* The pod of a server, the same in a Deployment and a Fleet. */}}
{{- define "segue.podMeta" -}}
labels:
  {{- include "segue.labels" . | nindent 2 }}
  app.kubernetes.io/component: server
annotations:
  kubectl.kubernetes.io/default-container: server
  checksum/settings: {{ include "segue.settings" . | sha256sum }}
  {{- if not .Values.soundtracks.hotReload }}
  checksum/soundtracks: {{ toJson .Values.soundtracks.files | sha256sum }}
  {{- end }}
  {{- with .Values.podAnnotations }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}

{{/* Whether it takes sessions. Kubernetes' grpc probe speaks no TLS, and its HTTPS probe shows no certificate: with TLS
     the port of the metrics is asked, which has none. */}}
{{- define "segue.readyProbe" -}}
{{- if .Values.tls.secretName -}}
httpGet: { path: /readyz, port: metrics }
{{- else -}}
grpc: { port: 7470 }
{{- end }}
timeoutSeconds: 2
{{- end }}

{{- define "segue.serverEnv" -}}
- { name: HOME, value: /tmp }
- { name: XDG_CACHE_HOME, value: /var/cache/segue }
- { name: SEGUE_MODELS, value: /var/lib/segue/models }
{{- end }}

{{/* Agones needs its service account's token in the pod, for its own side container; ours need not see it. */}}
{{- define "segue.noToken" -}}
{{- if eq .Values.mode "agones" }}
- { name: no-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
{{- end }}
{{- end }}

{{- define "segue.podSpec" -}}
serviceAccountName: {{ include "segue.name" . }}
{{- if eq .Values.mode "agones" }}
automountServiceAccountToken: true
# Agones would say Never, and weights that are not there yet would be the end of the pod.
restartPolicy: Always
{{- else }}
automountServiceAccountToken: false
{{- end }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ include "segue.graceSeconds" . }}
securityContext: {{- include "segue.podSecurity" . | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.topologySpread }}
topologySpreadConstraints:
  {{- /* A Fleet is packed, by an affinity to hosts with other game servers. */}}
  {{- $hosts := ternary (list) (list "kubernetes.io/hostname") (eq .Values.mode "agones") }}
  {{- range append $hosts "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: { matchLabels: {{ include "segue.selector" $ | fromYaml | toJson }} }
  {{- end }}
{{- end }}
{{- if or .Values.weights.prefetch (eq .Values.mode "agones") }}
initContainers:
{{- end }}
{{- if eq .Values.mode "agones" }}
  # Runs from before the weights come until after the server has gone, and is started again when it ends.
  - name: agones
    restartPolicy: Always
    image: {{ include "segue.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [python, /opt/segue/agones_bridge.py, --reservation-seconds={{ .Values.agones.reservationSeconds | int64 }}]
    resources:
      requests: { cpu: 20m, memory: 32Mi }
      limits: { memory: 64Mi }
    securityContext: {{- include "segue.security" . | nindent 6 }}
    volumeMounts:
      {{- include "segue.noToken" . | nindent 6 }}
{{- end }}
{{- if .Values.weights.prefetch }}
  # Fails, and is tried again, until the Job has brought every byte of the model.
  - name: weights
    image: {{ include "segue.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [segue, models, check, {{ .Values.model }}]
    env: {{- include "segue.serverEnv" . | nindent 6 }}
    resources:
      requests: { cpu: 500m, memory: 1Gi }
      limits: { memory: 2Gi }
    securityContext: {{- include "segue.security" . | nindent 6 }}
    volumeMounts:
      - { name: tmp, mountPath: /tmp }
      - { name: weights, mountPath: /var/lib/segue/models, readOnly: true }
      {{- include "segue.noToken" . | nindent 6 }}
{{- end }}
containers:
  - name: server
    image: {{ include "segue.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args:
      - --config=/etc/segue/settings/settings.json
      - --model={{ .Values.model }}
      - --device={{ .Values.device }}
      {{- with .Values.slots }}
      - --slots={{ . | int64 }}
      {{- end }}
      {{- with .Values.devices }}
      - --devices={{ . }}
      {{- end }}
      {{- with .Values.extraArgs }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
      {{- if include "segue.hasSoundtracks" . }}
      - /etc/segue/soundtracks
      {{- end }}
    env:
      {{- include "segue.serverEnv" . | nindent 6 }}
      {{- if .Values.frontDoor.enabled }}
      # Where the front door finds this pod again; session tokens carry it.
      - { name: POD_IP, valueFrom: { fieldRef: { fieldPath: status.podIP } } }
      - { name: SEGUE_SESSION_ROUTE, value: "$(POD_IP):7470" }
      {{- end }}
      {{- with .Values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    ports:
      - { name: grpc, containerPort: 7470, protocol: TCP }
      - { name: web, containerPort: 7471, protocol: TCP }
      - { name: metrics, containerPort: 9464, protocol: TCP }
    # Not ready until a warm step has run, so a pod is started only then.
    startupProbe:
      {{- include "segue.readyProbe" . | nindent 6 }}
      periodSeconds: 5
      failureThreshold: {{ max 1 (div (add .Values.probes.startupSeconds 4) 5) }}
    readinessProbe:
      {{- include "segue.readyProbe" . | nindent 6 }}
      periodSeconds: 5
      failureThreshold: 2
    # Fails where the event loop or the device thread hangs, never because of a drain.
    livenessProbe:
      httpGet: { path: /healthz, port: metrics }
      timeoutSeconds: 2
      periodSeconds: 10
      failureThreshold: 6
    lifecycle:
      preStop: { sleep: { seconds: {{ .Values.drain.preStopSeconds | int64 }} } }
    resources: {{- toYaml .Values.resources | nindent 6 }}
    securityContext: {{- include "segue.security" . | nindent 6 }}
    volumeMounts:
      - { name: tmp, mountPath: /tmp }
      - { name: compile-cache, mountPath: /var/cache/segue }
      - { name: settings, mountPath: /etc/segue/settings, readOnly: true }
      {{- if include "segue.hasSoundtracks" . }}
      - { name: soundtracks, mountPath: /etc/segue/soundtracks, readOnly: true }
      {{- end }}
      {{- if .Values.weights.claim }}
      - { name: weights, mountPath: /var/lib/segue/models, readOnly: true }
      {{- end }}
      {{- range $name, $secret := include "segue.secretFolders" . | fromYaml }}
      - { name: {{ $name }}, mountPath: /etc/segue/{{ $name }}, readOnly: true }
      {{- end }}
      {{- include "segue.noToken" . | nindent 6 }}
      {{- with .Values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  {{- if eq .Values.mode "agones" }}
  - { name: no-token, emptyDir: { sizeLimit: 1Mi } }
  {{- end }}
  - { name: tmp, emptyDir: { sizeLimit: 2Gi } }
  {{- if .Values.compileCache.claim }}
  - { name: compile-cache, persistentVolumeClaim: { claimName: {{ .Values.compileCache.claim }} } }
  {{- else }}
  - { name: compile-cache, emptyDir: { sizeLimit: 2Gi } }
  {{- end }}
  - { name: settings, configMap: { name: {{ include "segue.name" . }}-settings } }
  {{- if include "segue.hasSoundtracks" . }}
  - { name: soundtracks, configMap: { name: {{ include "segue.soundtracks" . }} } }
  {{- end }}
  {{- if .Values.weights.claim }}
  - { name: weights, persistentVolumeClaim: { claimName: {{ .Values.weights.claim }}, readOnly: true } }
  {{- end }}
  # 288 is 0440.
  {{- range $name, $secret := include "segue.secretFolders" . | fromYaml }}
  - { name: {{ $name }}, secret: { secretName: {{ $secret }}, defaultMode: 288 } }
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
