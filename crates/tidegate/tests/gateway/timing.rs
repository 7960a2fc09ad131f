//! Whether two kinds of request can be told apart by the time that their answers take.

use tidegate_testkit::Deadline;

/// Samples of each kind.
const SAMPLES: usize = 2000;

/// Above this two means differ (the bound that tests for leaks through time have settled on).
const T_MAX: f64 = 4.5;

/// Samples that must agree. A leak is there each time, and in the same direction; what else the machine does is not.
const ROUNDS: usize = 5;

/// Asks both in turn, so that whatever else the machine does falls on both, and compares the means (Welch's test). They
/// can be told apart if they differ in every round, and each time the same one takes longer.
#[track_caller]
pub(crate) fn cannot_be_told_apart(mut ask: impl FnMut(&str), one: &str, other: &str) {
    let took = |what: &str| {
        let watch = Deadline::patient();
        ask(what);
        watch.elapsed().as_secs_f64()
    };
    take_the_same_time(took, one, other);
}

/// The same of what took so many seconds each time.
#[track_caller]
fn take_the_same_time(mut took: impl FnMut(&str) -> f64, one: &str, other: &str) {
    let first = sample(&mut took, one, other);
    if first.abs() < T_MAX {
        return;
    }
    let mut found = vec![first];
    while found.len() < ROUNDS {
        let next = sample(&mut took, one, other);
        if next.abs() < T_MAX || next.signum() != first.signum() {
            return;
        }
        found.push(next);
    }
    panic!("{one:?} and {other:?} can be told apart by time: t = {found:?}");
}

/// By how much the first of them takes longer, in units of what chance makes of it.
fn sample(took: &mut impl FnMut(&str) -> f64, one: &str, other: &str) -> f64 {
    for _ in 0..SAMPLES / 20 {
        took(one);
        took(other); // caches and branches have settled then
    }
    let (mut ones, mut others) = (Sample::default(), Sample::default());
    for round in 0..SAMPLES {
        // Who comes first changes, so that being first tells nothing.
        let (first, second) = if round % 2 == 0 { (one, other) } else { (other, one) };
        let (a, b) = (took(first), took(second));
        let (a, b) = if round % 2 == 0 { (a, b) } else { (b, a) };
        ones.add(a);
        others.add(b);
    }
    ones.differs_from(&others)
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
        (self.mean() - other.mean()) / (self.error() + other.error()).sqrt()
    }
}

/// What a request takes where nobody disturbs it: up to two milliseconds, by chance; one kind takes this much longer.
fn by_chance(longer: f64) -> impl FnMut(&str) -> f64 {
    let mut state = 1_u32;
    move |what| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let chance = f64::from(state >> 8) / f64::from(1_u32 << 24);
        0.002 * chance + if what == "long" { longer } else { 0.0 }
    }
}

/// A difference that there is would be found, although it is a tenth of what chance does.
#[test]
#[should_panic(expected = "can be told apart by time")]
fn a_fifth_of_a_millisecond_is_told_apart() {
    take_the_same_time(by_chance(0.000_2), "short", "long");
}

#[test]
fn chance_alone_is_not_told_apart() {
    take_the_same_time(by_chance(0.0), "short", "long");
}
