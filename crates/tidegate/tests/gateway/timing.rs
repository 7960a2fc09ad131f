//! Whether two kinds of request can be told apart by the time that their answers take.

use tidegate_testkit::Deadline;

/// Samples of each kind.
const SAMPLES: usize = 2000;

/// Above this two means differ (the bound that tests for leaks through time have settled on).
const T_MAX: f64 = 4.5;

/// Asks both in turn, so that whatever else the machine does falls on both, and compares the means (Welch's test).
#[track_caller]
pub(crate) fn cannot_be_told_apart(mut ask: impl FnMut(&str), one: &str, other: &str) {
    let mut time = |what: &str| {
        let watch = Deadline::patient();
        ask(what);
        watch.elapsed().as_secs_f64()
    };
    for _ in 0..SAMPLES / 20 {
        time(one);
        time(other); // caches and branches have settled then
    }
    let (mut ones, mut others) = (Sample::default(), Sample::default());
    for round in 0..SAMPLES {
        // Who comes first changes, so that being first tells nothing.
        let (first, second) = if round % 2 == 0 { (one, other) } else { (other, one) };
        let (a, b) = (time(first), time(second));
        let (a, b) = if round % 2 == 0 { (a, b) } else { (b, a) };
        ones.add(a);
        others.add(b);
    }
    let t = ones.differs_from(&others);
    assert!(t < T_MAX, "t = {t}: {one:?} takes {} s, {other:?} {} s", ones.mean(), others.mean());
}

#[derive(Default)]
struct Sample {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Sample {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    fn mean(&self) -> f64 {
        self.sum / self.count
    }

    /// The square of the standard error of the mean.
    fn error(&self) -> f64 {
        let variance = (self.squares - self.sum * self.mean()) / (self.count - 1.0);
        variance / self.count
    }

    fn differs_from(&self, other: &Self) -> f64 {
        (self.mean() - other.mean()).abs() / (self.error() + other.error()).sqrt()
    }
}

/// A difference that there is would be found.
#[test]
fn a_tenth_of_a_millisecond_is_told_apart() {
    let (mut ones, mut others) = (Sample::default(), Sample::default());
    for round in 0..1000 {
        let noise = f64::from(round * 7919 % 1000) / 1e6;
        ones.add(1e-3 + noise);
        others.add(1.1e-3 + noise);
    }
    assert!(ones.differs_from(&others) > T_MAX);
}
