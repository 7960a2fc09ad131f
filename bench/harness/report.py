"""The results as a page: every cell, and what the targets say."""

from statistics import median

from . import peers
from .workloads import rate, value

UNITS = {
    "cpu/message": "µs of processor time for each message",
    "cpu/MiB": "µs of processor time for each MiB",
    "cpu/connection": "µs of processor time for each connection: opened, one message, closed",
    "bytes/connection": "bytes of user memory for each idle connection",
    "p99": "µs until the answer, 99th percentile",
}


def medians(workload, reports):
    return {name: median(value(workload.unit, report) for report in cell) for name, cell in reports.items() if cell}


def verdict(workload, values):
    """(best peer, ratio to it, ratio to the relay, met?)"""
    ours = values.get("tidegate", values.get("tidegate-connect"))
    others = {name: one for name, one in values.items() if not name.startswith("tidegate") and name not in peers.LIMITS}
    if ours is None:
        return "–", None, None, None
    best = min(others, key=others.get) if others else "–"
    ratio = ours / others[best] if others and others[best] else None
    relay = ours / values["relay"] if values.get("relay") else None
    absolute = workload.unit == "bytes/connection"
    measured = ours if absolute else ratio
    met = None if measured is None else measured <= workload.target
    if workload.relay_target and relay is not None:
        met = bool(met) and relay <= workload.relay_target
    return best, ratio, relay, met


def number(value):
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(workloads, results, names):
    lines = ["| workload | unit | " + " | ".join(names) + " |", "| --- | --- |" + " ---: |" * len(names)]
    for workload in workloads:
        values = medians(workload, results[workload.name])
        cells = [number(values.get(name)) for name in names]
        lines.append(f"| {workload.name} | {workload.unit} | " + " | ".join(cells) + " |")
    return lines


def targets(workloads, results):
    lines = ["| workload | tidegate | best peer | ratio | ÷ relay | target | met |",
             "| --- | ---: | --- | ---: | ---: | ---: | --- |"]
    for workload in workloads:
        values = medians(workload, results[workload.name])
        best, ratio, relay, met = verdict(workload, values)
        target = f"≤ {workload.target:g}" + (" B" if workload.unit == "bytes/connection" else "")
        if workload.relay_target:
            target += f"; relay ≤ {workload.relay_target:g}"
        best_value = f"{best} {number(values.get(best))}" if best in values else best
        ours = values.get("tidegate", values.get("tidegate-connect"))
        cells = [workload.name, number(ours), best_value, number(ratio), number(relay), target,
                 {True: "yes", False: "**no**", None: "–"}[met]]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def rates(workloads, results, names):
    lines = ["| workload | " + " | ".join(names) + " |", "| --- |" + " ---: |" * len(names)]
    for workload in workloads:
        if not workload.unit.startswith("cpu/"):
            continue
        cells = results[workload.name]
        row = [number(median(rate(workload.unit, one) for one in cells[name])) if cells.get(name) else "–"
               for name in names]
        lines.append(f"| {workload.name} | " + " | ".join(row) + " |")
    return lines


def latencies(workloads, results, names):
    lines = ["| workload | " + " | ".join(names) + " |", "| --- |" + " ---: |" * len(names)]
    for workload in workloads:
        if workload.unit in ("cpu/MiB", "bytes/connection"):
            continue
        row = []
        for name in names:
            cell = results[workload.name].get(name)
            keys = ("micros_p50", "micros_p99", "micros_p999")
            row.append(" / ".join(number(median(one[key] for one in cell)) for key in keys) if cell else "–")
        lines.append(f"| {workload.name} | " + " | ".join(row) + " |")
    return lines


def page(machine, workloads, results, names, failures, missing):
    lines = [f"# {machine.pop('title')}", ""]
    lines += [f"- {key}: {text}" for key, text in machine.items()]
    lines += ["", "How it was measured, and what each column is: [METHOD.md](../METHOD.md). Less is better everywhere but in",
              "the table of rates. `–`: the peer cannot do it, or it is under *What failed*.", "", "## Targets", ""]
    lines += targets(workloads, results)
    lines += ["", "## Cost", "", "; ".join(f"{unit}: {text}" for unit, text in UNITS.items()) + ".", ""]
    lines += table(workloads, results, names)
    lines += ["", "## Rates", "", "Messages, MiB or connections a second, with the gateway on one core.", ""]
    lines += rates(workloads, results, names)
    lines += ["", "## Times", "", "µs until the answer (for connections: until the 101), p50 / p99 / p99.9.", ""]
    lines += latencies(workloads, results, names)
    if failures or missing:
        lines += ["", "## What failed", ""]
        lines += [f"- {name}: not found on this machine" for name in missing]
        lines += [f"- {name}, {workload}: {error}" for (name, workload), error in failures.items()]
    return "\n".join(lines) + "\n"
