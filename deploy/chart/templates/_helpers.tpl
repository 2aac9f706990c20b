{{- define "meshctl.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end -}}

{{- define "meshctl.cluster" -}}
{{ required "cluster is required: the name of this cluster, as in the folders of `meshctl ca init`" .Values.cluster }}
{{- end -}}

{{- define "meshctl.labels" -}}
app.kubernetes.io/name: meshctl
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "meshctl.container" -}}
image: {{ include "meshctl.image" . }}
securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
{{- end -}}
