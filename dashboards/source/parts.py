"""What all dashboards share: panels with our defaults, variables, links. Built with Grafana's Foundation SDK."""

import json

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as values
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${DS_PROM}")
WIDTH, HEIGHT, STAT_HEIGHT = 8, 8, 4
# The published interval of a scrape is the installation's; Grafana knows it.
RATE = "$__rate_interval"

DASHBOARDS = {"overview": "krypton-overview", "agent": "krypton-agent", "models": "krypton-models",
              "mesh": "krypton-mesh"}


def query(expr, legend="", instant=False, format=PromQueryFormat.TIME_SERIES, exemplar=False):
    target = prometheus.Dataquery().expr(" ".join(expr.split())).legend_format(legend or "__auto")
    target.datasource(SOURCE).format(format)
    if exemplar:
        target.exemplar(True)
    return target.instant() if instant else target.range()


def targets(panel, queries):
    for number, each in enumerate(queries):
        panel.with_target(each.ref_id(chr(ord("A") + number)))
    return panel


def lines(title, description, unit, *queries, width=WIDTH, stacked=False, empty="", decimals=None, link=None,
          maximum=None):
    """Lines over time. `empty`: what stands there when there is nothing to show."""
    panel = timeseries.Panel().title(title).description(description).unit(unit).datasource(SOURCE)
    panel.span(width).height(HEIGHT).min(0)
    panel.legend(common.VizLegendOptions().display_mode(values.LegendDisplayMode.TABLE).show_legend(True)
                 .placement(values.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"]))
    panel.tooltip(common.VizTooltipOptions().mode(values.TooltipDisplayMode.MULTI)
                  .sort(values.SortOrder.DESCENDING))
    panel.fill_opacity(30 if stacked else 10).line_width(1).show_points(values.VisibilityMode.NEVER)
    panel.no_value(empty or "no data yet")
    if stacked:
        panel.stacking(common.StackingConfig().mode(values.StackingMode.NORMAL).group("A"))
    if decimals is not None:
        panel.decimals(decimals)
    if maximum is not None:
        panel.max(maximum)
    if link:
        panel.data_links([dashboard.DashboardLink(link[0]).url(link[1])])
    return targets(panel, queries)


def number(title, description, unit, expr, empty="-", bad_from=None, bad_below=None, width=4):
    """One number; red from `bad_from`, or below `bad_below`."""
    panel = stat.Panel().title(title).description(description).unit(unit).datasource(SOURCE)
    panel.span(width).height(STAT_HEIGHT).no_value(empty).graph_mode(values.BigValueGraphMode.AREA)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    steps = [model.Threshold(value=None, color="red" if bad_below is not None else "green")]
    if bad_from is not None:
        steps.append(model.Threshold(value=bad_from, color="red"))
    if bad_below is not None:
        steps.append(model.Threshold(value=bad_below, color="green"))
    panel.thresholds(dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
    return targets(panel, [query(expr)])


def heat(title, description, expr, width=WIDTH):
    """A histogram's buckets over time."""
    panel = heatmap.Panel().title(title).description(description).datasource(SOURCE)
    panel.span(width).height(HEIGHT).calculate(False).no_value("no data yet").show_legend().show_tooltip()
    panel.color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64))
    panel.y_axis(heatmap.YAxisConfig().unit("s").axis_placement(values.AxisPlacement.LEFT))
    return targets(panel, [query(expr, "{{le}}", format=PromQueryFormat.HEATMAP, exemplar=True)])


def rows_of(title, description, expr, width=WIDTH, hidden=()):
    """An instant query as a table, a row a series."""
    panel = table.Panel().title(title).description(description).datasource(SOURCE)
    panel.span(width).height(HEIGHT).no_value("no data yet")
    panel.with_transformation(model.DataTransformerConfig(id_val="organize", options={
        "excludeByName": {name: True for name in ("Time", "Value", *hidden)}}))
    return targets(panel, [query(expr, instant=True, format=PromQueryFormat.TABLE)])


def variable(name, label, ask, several=True):
    """A choice among a label's values."""
    made = dashboard.QueryVariable(name).label(label).datasource(SOURCE)
    made.query({"query": ask, "refId": f"{name}Values"}).sort(model.VariableSort.ALPHABETICAL_ASC)
    made.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
    if several:
        made.multi(True).include_all(True).all_value(".+")
        made.current(model.VariableOption(selected=True, text="All", value="$__all"))
    return made


def links(own):
    """To the other dashboards, with the time and the variables that they share."""
    titles = {"overview": "Overview", "agent": "One agent", "models": "Models", "mesh": "Mesh"}
    return [dashboard.DashboardLink(titles[key]).type(model.DashboardLinkType.LINK).icon("dashboard")
            .url(f"/d/{uid}").tooltip(f"Krypton: {titles[key].lower()}").keep_time(True).include_vars(True)
            for key, uid in DASHBOARDS.items() if key != own]


def build(key, title, description, variables, sections):
    """A dashboard of (row's title, panels); the first row has none."""
    made = dashboard.Dashboard(title).uid(DASHBOARDS[key]).description(description).tags(["krypton"])
    made.refresh("30s").time("now-1h", "now").timezone("browser").editable()
    made.tooltip(model.DashboardCursorSync.CROSSHAIR).links(links(key))
    made.with_variable(dashboard.DatasourceVariable("DS_PROM").label("Data source").type("prometheus"))
    for each in variables:
        made.with_variable(each)
    for row, panels in sections:
        if row:
            made.with_row(dashboard.Row(row))
        for panel in panels:
            made.with_panel(panel)
    return finish(made.build())


def finish(built):
    """As Grafana exports it: numbered panels, and the data source as what an import asks for."""
    content = json.loads(json.dumps(built, cls=JSONEncoder))
    for number_of, panel in enumerate(content["panels"], 1):
        panel["id"] = number_of
        if panel.get("options", {}) is None:
            panel["options"] = {}
    del content["style"]  # Of Grafana 8.
    for each in content["templating"]["list"]:  # What Grafana's own type of a variable does not have.
        for name in ("id", "auto", "auto_min", "auto_count"):
            each.pop(name, None)
    kinds = sorted({panel["type"] for panel in content["panels"]} - {"row"})
    requires = [{"type": "grafana", "id": "grafana", "name": "Grafana", "version": "10.1.0"},
                {"type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0"},
                *[{"type": "panel", "id": kind, "name": kind, "version": ""} for kind in kinds]]
    inputs = [{"name": "DS_PROM", "label": "Prometheus", "description": "The Prometheus that scrapes Krypton.",
               "type": "datasource", "pluginId": "prometheus", "pluginName": "Prometheus"}]
    return {"__inputs": inputs, "__requires": requires, "id": None, **content}
