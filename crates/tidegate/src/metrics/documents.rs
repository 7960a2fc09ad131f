//! What stands elsewhere about the metrics, against the list of them: the reference, the alerts and the dashboard.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use prometheus_client::metrics::MetricType;
use serde_json::Value;

use super::families::{FAMILIES, Family};

/// `docs/metrics.md` is written anew with `TIDEGATE_UPDATE=1`.
#[test]
fn the_reference_has_every_metric_as_it_is() {
    let file = root().join("docs/metrics.md");
    let committed = fs::read_to_string(&file).unwrap();
    let (before, rest) = committed.split_once(BEGIN).expect("the table has a mark before it");
    let (_, after) = rest.split_once(END).expect("the table has a mark behind it");
    let updated = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os("TIDEGATE_UPDATE").is_some() {
        fs::write(&file, &updated).unwrap();
        return;
    }
    assert_eq!(committed, updated, "docs/metrics.md is not up to date");
}

#[test]
fn alerts_ask_for_metrics_that_exist() {
    let rules = fs::read_to_string(root().join("packaging/prometheus/tidegate.rules.yml")).unwrap();
    let names = names(&rules);
    assert!(names.len() > 5, "{names:?}");
    assert_eq!(unknown(&names), Vec::<&str>::new());
}

#[test]
fn the_dashboard_asks_for_metrics_that_exist() {
    let text = fs::read_to_string(root().join("packaging/grafana/tidegate.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut queries = Vec::new();
    collect(&dashboard, &mut queries);
    assert!(queries.len() > 10, "{queries:?}");
    for query in queries {
        let names = names(&query);
        assert!(!names.is_empty(), "{query}");
        assert_eq!(unknown(&names), Vec::<&str>::new(), "{query}");
    }
}

#[test]
fn every_name_is_said_once_and_has_its_unit() {
    let names: BTreeSet<_> = FAMILIES.iter().map(|family| family.name).collect();
    assert_eq!(names.len(), FAMILIES.len());
    for family in FAMILIES {
        assert!(!family.name.ends_with("_total") && family.help.ends_with('.'), "{}", family.name);
        assert!(
            !matches!(family.kind, MetricType::Histogram) || family.name.ends_with("_seconds"),
            "{}",
            family.name
        );
    }
}

fn table() -> String {
    let mut text = "\n| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for family in FAMILIES {
        let labels: Vec<_> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, labels) = (family.queried_name(), family.kind.as_str(), labels.join(", "));
        writeln!(text, "| `{name}` | {kind} | {labels} | {} |", family.help).unwrap();
    }
    text
}

/// Every word in a text that looks like the name of a metric of ours.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("tidegate_") || word.starts_with("process_")).collect()
}

fn unknown<'n>(names: &BTreeSet<&'n str>) -> Vec<&'n str> {
    let known = |name: &str| FAMILIES.iter().any(|family| is_called(family, name));
    names.iter().copied().filter(|name| !known(name)).collect()
}

fn is_called(family: &Family, name: &str) -> bool {
    let parts = ["_bucket", "_sum", "_count"];
    match family.kind {
        MetricType::Histogram => parts.iter().any(|part| name.strip_suffix(part) == Some(family.name)),
        MetricType::Counter | MetricType::Gauge | MetricType::Info | MetricType::Unknown => {
            family.queried_name() == name
        }
    }
}

/// Every query of a dashboard.
fn collect(value: &Value, queries: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            queries.extend(fields.get("expr").and_then(Value::as_str).map(ToOwned::to_owned));
            fields.values().for_each(|value| collect(value, queries));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, queries)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

const BEGIN: &str = "<!-- made of the list of metrics -->\n";
const END: &str = "<!-- until here -->\n";
