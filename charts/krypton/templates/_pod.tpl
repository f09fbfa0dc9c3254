{{/* What the pods of all components share. krypton.pod {root, component} is the pod template's metadata and spec,
     around the container's `args` and `ports`, which the component defines as krypton.COMPONENT.args and .ports. */}}

{{- define "krypton.pod" -}}
{{- $root := .root -}}
{{- $values := include "krypton.values" . | fromYaml -}}
metadata:
  labels:
    {{- include "krypton.labels" . | nindent 4 }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: {{ .component }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "krypton.serviceAccount" . }}
  automountServiceAccountToken: {{ eq .component "manager" }}
  # Else a Service named krypton-gateway becomes a variable KRYPTON_GATEWAY_PORT, which no flag has.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: {type: RuntimeDefault}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  affinity:
    {{- if $values.affinity }}
    {{- toYaml $values.affinity | nindent 4 }}
    {{- else }}
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm:
            topologyKey: kubernetes.io/hostname
            labelSelector:
              matchLabels:
                {{- include "krypton.selector" . | nindent 16 }}
    {{- end }}
  {{- with $values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .component }}
      {{- $image := ternary "controlPlane" .component (eq .component "control-plane") }}
      image: {{ include "krypton.image" (dict "root" $root "name" (get $root.Values.images $image)) | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args:
        {{- include (printf "krypton.%s.args" .component) $root | nindent 8 }}
        - --log-level={{ $root.Values.log.level }}
        - --log-format={{ $root.Values.log.format }}
        {{- with $values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      env:
        - name: POD_IP
          valueFrom: {fieldRef: {fieldPath: status.podIP}}
        - name: POD_NAME
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        {{- with $values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        {{- include (printf "krypton.%s.ports" .component) $root | nindent 8 }}
      livenessProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: metrics}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      startupProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 1
        timeoutSeconds: 3
        failureThreshold: 60
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      terminationMessagePolicy: FallbackToLogsOnError
      {{- if and (eq .component "control-plane") (semverCompare ">=1.30.0-0" $root.Capabilities.KubeVersion.Version) }}
      # Serves on while load balancers learn; the gateway does that by itself.
      lifecycle:
        preStop:
          sleep: {seconds: 5}
      {{- end }}
      volumeMounts:
        - {name: tls, mountPath: /etc/krypton/tls, readOnly: true}
        {{- if eq .component "manager" }}
        - {name: ca, mountPath: /etc/krypton/ca, readOnly: true}
        {{- end }}
        - {name: tmp, mountPath: /tmp}
  volumes:
    - name: tls
      secret: {secretName: krypton-{{ .component }}-tls, defaultMode: 0440}
    {{- if eq .component "manager" }}
    - name: ca
      secret:
        secretName: krypton-ca
        defaultMode: 0440
        {{- if $root.Values.tls.certManager.enabled }}
        items: [{key: tls.crt, path: ca.crt}, {key: tls.key, path: ca.key}]
        {{- else }}
        items: [{key: ca.crt, path: ca.crt}, {key: ca.key, path: ca.key}]
        {{- end }}
    {{- end }}
    # Sockets between the front and the server of /metrics.
    - name: tmp
      emptyDir: {sizeLimit: 16Mi}
{{- end }}

{{/* The Deployment of a component. */}}
{{- define "krypton.deployment" -}}
{{- $values := include "krypton.values" . | fromYaml -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: krypton-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "krypton.labels" . | nindent 4 }}
spec:
  {{- if not (dig "autoscaling" "enabled" false $values) }}
  replicas: {{ $values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  strategy:
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  selector:
    matchLabels:
      {{- include "krypton.selector" . | nindent 6 }}
  template:
    {{- include "krypton.pod" . | nindent 4 }}
{{- end }}

{{/* ServiceAccount and budget of a component. */}}
{{- define "krypton.account" -}}
{{- $values := include "krypton.values" . | fromYaml -}}
{{- if $values.serviceAccount.create }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "krypton.serviceAccount" . }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "krypton.labels" . | nindent 4 }}
  {{- with $values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: {{ eq .component "manager" }}
{{- end }}
{{- if and .root.Values.podDisruptionBudget.enabled (gt (int (ternary (dig "autoscaling" "minReplicas" 1 $values) $values.replicas (dig "autoscaling" "enabled" false $values))) 1) }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: krypton-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "krypton.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ .root.Values.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels:
      {{- include "krypton.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{/* krypton.service {root, component, name, type, ports}. */}}
{{- define "krypton.service" -}}
{{- $values := include "krypton.values" . | fromYaml -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "krypton.labels" . | nindent 4 }}
  {{- with $values.service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ .type }}
  selector:
    {{- include "krypton.selector" . | nindent 4 }}
  ports:
    {{- range .ports }}
    - {name: {{ .name }}, port: {{ .port }}, targetPort: {{ .name }}{{ with .protocol }}, appProtocol: {{ . }}{{ end }}}
    {{- end }}
{{- end }}
