//! The comparison: in each round every contender once, in turn.

use std::time::Instant;

use crate::bench::contender::Contender;
use crate::bench::sample::{Sample, milliseconds};
use crate::failure::Failure;
use crate::table::{Align, Table};

/// Runs of each contender before anything counts: files into the page cache,
/// the daemon's worker started.
const WARM_UP: u32 = 3;
/// What the ratios are taken to.
const BASE: &str = "python3 -c";

/// Measures all contenders and prints the table.
pub(super) fn compare(contenders: Vec<Contender>, rounds: u32) -> Result<(), Failure> {
    for contender in &contenders {
        for _ in 0..WARM_UP {
            contender.once()?;
        }
    }
    let mut measured: Vec<(Contender, Sample)> = contenders
        .into_iter()
        .map(|contender| (contender, Sample::default()))
        .collect();
    for round in 0..rounds {
        for (contender, sample) in &mut measured {
            if round.is_multiple_of(contender.every) {
                let started = Instant::now();
                contender.once()?;
                sample.add(started.elapsed());
            }
        }
    }
    println!("\n{}", table(&measured));
    Ok(())
}

fn table(measured: &[(Contender, Sample)]) -> Table {
    let mut table = Table::new(&[
        ("print(1) by", Align::Left),
        ("runs", Align::Right),
        ("median", Align::Right),
        ("p99", Align::Right),
        ("to python3 -c", Align::Right),
    ]);
    let base = measured
        .iter()
        .find(|(contender, _)| contender.name == BASE);
    let base = base.and_then(|(_, sample)| sample.quantile(500));
    for (contender, sample) in measured {
        let median = sample.quantile(500);
        let ratio = median.zip(base).map_or_else(
            || "-".to_owned(),
            |(median, base)| format!("{:.3}", median.as_secs_f64() / base.as_secs_f64()),
        );
        table.row([
            contender.name.clone(),
            sample.len().to_string(),
            milliseconds(median),
            milliseconds(sample.quantile(990)),
            ratio,
        ]);
    }
    table
}
