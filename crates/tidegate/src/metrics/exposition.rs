//! Metrics as text: OpenMetrics 1.0, which Prometheus and whatever scrapes like it read.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Registry;

use super::families::Family;
use super::histogram::Snapshot;

/// The media type of the text.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What was counted, family by family.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    families: Vec<(&'static Family, Vec<Sample>)>,
}

#[derive(Debug)]
struct Sample {
    labels: Vec<(&'static str, String)>,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Whole(u64),
    Real(f64),
    Times(Snapshot),
}

impl Exposition {
    /// Adds a family; [`Samples`] takes what belongs to it.
    pub(crate) fn family(&mut self, family: &'static Family) -> Samples<'_> {
        self.families.push((family, Vec::new()));
        let (_, samples) = self.families.last_mut().expect("one was put there just now");
        Samples { family, samples }
    }

    /// The text.
    pub(crate) fn into_text(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        text::encode(&mut text, &registry).expect("a string takes every text");
        text
    }
}

/// The samples of one family.
pub(crate) struct Samples<'e> {
    family: &'static Family,
    samples: &'e mut Vec<Sample>,
}

impl Samples<'_> {
    /// A whole number, with a value for each label of the family.
    pub(crate) fn whole(&mut self, labels: &[&str], value: u64) {
        self.push(labels, Value::Whole(value));
    }

    pub(crate) fn real(&mut self, labels: &[&str], value: f64) {
        self.push(labels, Value::Real(value));
    }

    pub(crate) fn times(&mut self, labels: &[&str], value: Snapshot) {
        self.push(labels, Value::Times(value));
    }

    fn push(&mut self, values: &[&str], value: Value) {
        assert_eq!(values.len(), self.family.labels.len(), "{} has other labels", self.family.name);
        let values = values.iter().map(|value| (*value).to_owned());
        let labels = self.family.labels.iter().copied().zip(values).collect();
        self.samples.push(Sample { labels, value });
    }
}

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (family, samples) in self.families.iter().filter(|(_, samples)| !samples.is_empty()) {
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, family.kind)?;
            for sample in samples {
                if sample.labels.is_empty() {
                    sample.value.encode(family, &mut metric)?;
                } else {
                    sample.value.encode(family, &mut metric.encode_family(&sample.labels)?)?;
                }
            }
        }
        Ok(())
    }
}

impl Value {
    fn encode(&self, family: &Family, metric: &mut MetricEncoder<'_>) -> fmt::Result {
        use prometheus_client::metrics::MetricType::{Counter, Gauge, Histogram, Info, Unknown};
        match (self, family.kind) {
            (Self::Whole(value), Counter) => metric.encode_counter(value, NO_EXEMPLAR),
            (Self::Real(value), Counter) => metric.encode_counter(value, NO_EXEMPLAR),
            (Self::Whole(value), Gauge) => metric.encode_gauge(value),
            (Self::Real(value), Gauge) => metric.encode_gauge(value),
            (Self::Times(times), Histogram) => {
                metric.encode_histogram::<NoLabelSet>(times.sum, times.count(), &times.buckets, None)
            }
            (Self::Times(_), Counter | Gauge)
            | (Self::Whole(_) | Self::Real(_), Histogram)
            | (_, Info | Unknown) => unreachable!("{} is no such number", family.name),
        }
    }
}

const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, f64>> = None;
