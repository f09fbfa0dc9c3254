"""The mesh itself: are its streams up, is the registry fresh, does reconciling succeed, what does it cost."""

from .parts import RATE, build, lines, number, query, rows_of

PROCESS = "by (component, instance)"
# process_* has no label of its own that says whose it is: krypton_build_info has.
OF_PROCESS = "* on (job, instance) group_left (component) (krypton_build_info / krypton_build_info)"

NOW = [
    number("Registry unseen for", "Longest time for which a gateway or control plane may have missed changes.",
           "s", "max(krypton_registry_lag_seconds)", bad_from=30),
    number("Leaders", "Managers that lead: one.", "short", "sum(krypton_manager_leader)", bad_below=1),
    number("Reports unheard", "Sidecars whose load reports no manager takes.", "short",
           "count(krypton_proxy_report_connected == 0) or vector(0)", bad_from=1),
    number("Refused manifests", "Manifests, or parts of them.", "short", "max(krypton_manifest_problems)",
           bad_from=1),
    number("Reconcile errors", "Per minute.", "cpm",
           f"sum(rate(krypton_reconcile_errors_total[{RATE}])) * 60 or vector(0)", bad_from=1),
    number("Wake, P99", "From a waiting call's report to the platform being asked for a replica.", "s",
           f"histogram_quantile(0.99, sum by (le) (rate(krypton_wake_seconds_bucket[{RATE}])))", empty="no wake-up"),
]

STREAMS = [
    lines("Registry streams", "1 while the stream from the manager is up.", "short",
          query("krypton_registry_connected", "{{job}} {{instance}}"), decimals=0),
    lines("Load streams", "Open load streams by kind of reporter.", "short",
          query("sum by (reporter) (krypton_load_streams)", "{{reporter}}"),
          query("max(krypton_scaler_sources)", "sources known"), decimals=0),
    lines("Leader", "1 at the manager that leads.", "short",
          query("krypton_manager_leader", "{{pod}} {{instance}}"), decimals=0, maximum=1),
    lines("Watchers", "Open registry streams at the manager, and watches at the control plane.", "short",
          query("sum(krypton_registry_watchers)", "registry"),
          query("sum(krypton_api_streams)", "API"), decimals=0),
]

REGISTRY = [
    lines("Registry lag", "How long changes may have gone unseen, and versions not yet sent.", "s",
          query("krypton_registry_lag_seconds", "{{job}} {{instance}}")),
    lines("Delay of a change", "From a change to its message having left: P50 and P99.", "s",
          *[query(f"""histogram_quantile({share}, sum by (le)
              (rate(krypton_registry_watch_delay_seconds_bucket[{RATE}])))""", f"p{share * 100:g}")
            for share in (0.5, 0.99)], empty="no change in this time"),
    lines("Registry version", "Counts changes; gateways and control planes follow the manager.", "short",
          query("krypton_registry_version", "{{job}} {{instance}}"), decimals=0),
]

MANAGER = [
    lines("Reconcile errors per minute", "What kept the manager from the desired state.", "cpm",
          query(f"sum by (reason) (rate(krypton_reconcile_errors_total[{RATE}])) * 60", "{{reason}}"),
          empty="no error"),
    lines("Scaler tick", "How long one look at all active agents took: P50 and P99.", "s",
          *[query(f"""histogram_quantile({share}, sum by (le) (rate(krypton_scaler_tick_seconds_bucket[{RATE}])))""",
                  f"p{share * 100:g}") for share in (0.5, 0.99)]),
    lines("Active agents", "Agents that have demand or replicas.", "short",
          query("max(krypton_scaler_active_resources)", "active"),
          query("max(krypton_registry_resources)", "known"), decimals=0),
    lines("Reports refused", "Load reports that were invalid, and streams that fell silent.", "cpm",
          query(f"sum(rate(krypton_load_reports_refused_total[{RATE}])) * 60", "refused"),
          query(f"sum(rate(krypton_load_streams_silent_total[{RATE}])) * 60", "silent")),
    lines("API requests by route", "Calls of the control plane.", "reqps",
          query(f"sum by (route) (rate(krypton_api_requests_total[{RATE}])) > 0", "{{route}}"),
          empty="nobody calls the control plane"),
    lines("API latency, P95", "By route.", "s",
          query(f"""histogram_quantile(0.95, sum by (route, le)
              (rate(krypton_api_request_duration_seconds_bucket[{RATE}])))""", "{{route}}"),
          empty="nobody calls the control plane"),
]

PROCESSES = [
    lines("CPU", "Cores used, by process.", "short",
          query(f"sum {PROCESS} (rate(process_cpu_seconds_total[{RATE}]) {OF_PROCESS})", "{{component}} {{instance}}")),
    lines("Memory", "Resident, by process.", "bytes",
          query(f"sum {PROCESS} (process_resident_memory_bytes {OF_PROCESS})", "{{component}} {{instance}}")),
    lines("File descriptors", "Share of the limit.", "percentunit",
          query(f"sum {PROCESS} (process_open_fds / process_max_fds {OF_PROCESS})", "{{component}} {{instance}}")),
    lines("Log lines", "Warnings and errors a second, and lines dropped.", "short",
          query(f"""sum by (level) (rate(krypton_log_messages_total{{level=~"warn|error"}}[{RATE}]))""", "{{level}}"),
          query(f"sum(rate(krypton_log_dropped_total[{RATE}]))", "dropped")),
    lines("Restarts", "Processes that began in the last hour, by component.", "short",
          query(f"sum by (component) ((time() - process_start_time_seconds < bool 3600) {OF_PROCESS})",
                "{{component}}"), decimals=0),
    rows_of("Versions", "What runs, by component.", "count by (component, version) (krypton_build_info)"),
]

# The names are those of all controllers; ours are where a manager is.
OURS = "and on (job, instance) krypton_manager_leader"

CLUSTER = [
    lines("Reconciliations", "Per second, by controller and result.", "ops",
          query(f"sum by (controller, result) (rate(controller_runtime_reconcile_total[{RATE}]) {OURS})",
                "{{controller}} {{result}}"), empty="not in a cluster"),
    lines("Duration of a reconciliation, P99", "By controller.", "s",
          query(f"""histogram_quantile(0.99, sum by (controller, le)
              (rate(controller_runtime_reconcile_time_seconds_bucket[{RATE}]) {OURS}))""", "{{controller}}"),
          empty="not in a cluster"),
    lines("Work queue", "Keys that wait to be worked on.", "short",
          query(f"sum by (name) (workqueue_depth {OURS})", "{{name}}"), decimals=0, empty="not in a cluster"),
    lines("Kubernetes API", "Requests of the managers, by code.", "reqps",
          query(f"sum by (code) (rate(rest_client_requests_total[{RATE}]) {OURS})", "{{code}}"),
          empty="not in a cluster"),
    lines("Objects held", "Copies of Kubernetes objects, by kind.", "short",
          query("max by (resource) (krypton_informer_objects)", "{{resource}}"), decimals=0,
          empty="not in a cluster"),
    lines("Certificates", "For how long the processes' certificates and their authority are still valid.", "s",
          query("min by (job, file) (krypton_tls_certificate_expiry_timestamp_seconds) - time()",
                "{{job}} {{file}}"), empty="no TLS"),
]

DASHBOARD = build("mesh", "Krypton / Mesh", "The mesh itself: streams, registry, manager, processes.", [],
                  [("", NOW), ("Streams", STREAMS), ("Registry", REGISTRY), ("Manager and control plane", MANAGER),
                   ("Processes", PROCESSES), ("In a cluster", CLUSTER)])
