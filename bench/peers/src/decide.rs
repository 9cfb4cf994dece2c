//! The decision alone, on calls that are read already, at growing numbers of rules.

use std::time::Duration;

use crate::Outcome;
use crate::cedar::Cedar;
use crate::cel::Cel;
use crate::ours::Ours;
use crate::rego::Rego;
use crate::rules::{calls, rules};
use crate::sample::{Sample, met, ratio, show};
use crate::table;

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
/// Turns of each contender.
const ROUNDS: usize = 40;
/// Calls of a turn for ours, which takes less than a microsecond.
const OURS_PER_TURN: usize = 1_000;
/// Rules that a peer's turn may look at: it looks at all of them each time.
const RULES_PER_TURN: usize = 20_000;
/// Calls that all contenders must answer alike before anything is timed.
const CHECKED: usize = 100;
/// The promise for ours, at any size.
const TARGET: Duration = Duration::from_micros(1);
/// The promise on growth from the smallest to the largest.
const MAX_GROWTH: f64 = 2.0;

/// An engine with rules and calls of its own language.
pub trait Contender {
    /// What its users call it.
    fn name(&self) -> &'static str;
    /// Whether a call may run at once.
    fn runs_now(&mut self, call: usize) -> Outcome<bool>;
    /// How long the same decision takes.
    fn time(&mut self, call: usize) -> Duration;
}

/// Measures all sizes and prints a table.
pub fn run() -> Outcome<()> {
    let sizes = SIZES
        .iter()
        .map(|size| measure(*size))
        .collect::<Outcome<Vec<_>>>()?;
    let mut rows = Vec::new();
    for (size, measured) in SIZES.iter().zip(&sizes) {
        let ours = measured
            .first()
            .map_or(Duration::ZERO, |ours| ours.best(500));
        let row = |(index, contender)| row(*size, index, contender, ours);
        rows.extend(measured.iter().enumerate().map(row));
    }
    if let (Some(smallest), Some(largest)) = (sizes.first(), sizes.last()) {
        let pairs = smallest.iter().zip(largest).enumerate();
        rows.extend(pairs.map(|(index, (small, large))| growth(index, small, large)));
    }
    let title =
        format!("The decision alone, facts at hand: the best of {ROUNDS} rounds of each call");
    let heading = ["", "p50", "p99", "p50 of all", "to lazaret", "target"];
    table::print(&title, &heading, &rows);
    Ok(())
}

fn row(size: usize, index: usize, contender: &Measured, ours: Duration) -> Vec<String> {
    let p50 = contender.best(500);
    let target = if index == 0 {
        met(p50, TARGET)
    } else {
        String::new()
    };
    let name = format!("{size} rules, {}", contender.name);
    let all = show(contender.all.quantile(500));
    [
        name,
        show(p50),
        show(contender.best(990)),
        all,
        ratio(p50, ours),
        target,
    ]
    .to_vec()
}

fn growth(index: usize, small: &Measured, large: &Measured) -> Vec<String> {
    let factor = large.best(500).as_secs_f64() / small.best(500).as_secs_f64().max(1e-9);
    let word = if factor < MAX_GROWTH { "met" } else { "MISSED" };
    let target = if index == 0 {
        format!("< {MAX_GROWTH}x: {word}")
    } else {
        String::new()
    };
    let name = format!("10 to 10,000 rules, {}", small.name);
    let empty = String::new;
    [
        name,
        format!("{factor:.1}x"),
        empty(),
        empty(),
        empty(),
        target,
    ]
    .to_vec()
}

/// The times of one contender.
struct Measured {
    name: &'static str,
    /// The best time of each call, as others share the machine.
    best: Vec<Duration>,
    /// All times.
    all: Sample,
}

impl Measured {
    fn best(&self, per_mille: usize) -> Duration {
        let mut sample = Sample::default();
        self.best.iter().for_each(|time| sample.add(*time));
        sample.quantile(per_mille)
    }
}

/// All contenders, ours first.
fn measure(size: usize) -> Outcome<Vec<Measured>> {
    let (rules, calls) = (rules(size), calls(size));
    let mut contenders: Vec<Box<dyn Contender>> = vec![
        Box::new(Ours::new(&rules, &calls)?),
        Box::new(Cedar::new(&rules, &calls)?),
        Box::new(Rego::new(&rules, &calls)?),
        Box::new(Cel::new(&rules, &calls)?),
    ];
    agree(&mut contenders)?;
    let mut measured: Vec<Measured> = contenders
        .iter()
        .enumerate()
        .map(|(index, contender)| Measured {
            name: contender.name(),
            best: vec![Duration::MAX; calls_per_turn(index, size).min(calls.len())],
            all: Sample::default(),
        })
        .collect();
    // The first round warms up.
    for round in 0..=ROUNDS {
        for (contender, measured) in contenders.iter_mut().zip(&mut measured) {
            turn(contender.as_mut(), measured, round > 0);
        }
    }
    Ok(measured)
}

/// Peers look at every rule for each call, so they get fewer calls the more rules there are.
fn calls_per_turn(contender: usize, size: usize) -> usize {
    match contender {
        0 => OURS_PER_TURN,
        _ => (RULES_PER_TURN / size).clamp(4, 200),
    }
}

fn turn(contender: &mut dyn Contender, measured: &mut Measured, counts: bool) {
    for (call, best) in measured.best.iter_mut().enumerate() {
        let took = contender.time(call);
        if counts {
            *best = took.min(*best);
            measured.all.add(took);
        }
    }
}

/// Another answer than ours would make the times worthless.
fn agree(contenders: &mut [Box<dyn Contender>]) -> Outcome<()> {
    let mut ran = 0;
    for call in 0..CHECKED {
        let mut answers = Vec::new();
        for contender in contenders.iter_mut() {
            answers.push((contender.name(), contender.runs_now(call)?));
        }
        let first = answers.first().map(|(_, answer)| *answer);
        if answers.iter().any(|(_, answer)| Some(*answer) != first) {
            return Err(format!("contenders disagree on call {call}: {answers:?}").into());
        }
        ran += usize::from(first == Some(true));
    }
    match ran {
        0 | CHECKED => Err(format!("{ran} of {CHECKED} calls run; the calls show nothing").into()),
        _ => Ok(()),
    }
}
