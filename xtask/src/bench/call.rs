//! The comparison: in each round every contender some times in a row, in turn.
//!
//! Ten in a row, as an agent or a load sends them; the first of each ten, which finds the caches
//! full of the contenders before it, is shown in a column of its own.

use std::time::Instant;

use crate::bench::contender::Contender;
use crate::bench::sample::{Sample, milliseconds};
use crate::failure::Failure;
use crate::table::{Align, Table};

/// Runs of each contender before anything counts: files into the page cache,
/// the daemon's worker started.
const WARM_UP: u32 = 3;
/// Runs of a contender in one round. What takes part in few rounds takes so long that one does.
const IN_A_ROW: u32 = 10;
/// What the ratios are taken to.
const BASE: &str = "python3 -c";

/// Measures all contenders and prints the table.
pub(super) fn compare(contenders: Vec<Contender>, rounds: u32) -> Result<(), Failure> {
    for contender in &contenders {
        for _ in 0..WARM_UP {
            contender.once()?;
        }
    }
    let mut measured: Vec<Measured> = contenders.into_iter().map(Measured::of).collect();
    for round in 0..rounds.div_ceil(IN_A_ROW) {
        for one in &mut measured {
            one.round(round)?;
        }
    }
    println!("\n{}", table(&measured));
    Ok(())
}

/// A contender and what was seen of it.
struct Measured {
    contender: Contender,
    all: Sample,
    /// The first run of each round.
    firsts: Sample,
}

impl Measured {
    fn of(contender: Contender) -> Self {
        Self {
            contender,
            all: Sample::default(),
            firsts: Sample::default(),
        }
    }

    fn round(&mut self, round: u32) -> Result<(), Failure> {
        let runs = match self.contender.every {
            1 => IN_A_ROW,
            every if (round * IN_A_ROW).is_multiple_of(every) => 1,
            _ => 0,
        };
        for run in 0..runs {
            let started = Instant::now();
            self.contender.once()?;
            let took = started.elapsed();
            self.all.add(took);
            if run == 0 {
                self.firsts.add(took);
            }
        }
        Ok(())
    }
}

fn table(measured: &[Measured]) -> Table {
    let mut table = Table::new(&[
        ("print(1) by", Align::Left),
        ("runs", Align::Right),
        ("median", Align::Right),
        ("p99", Align::Right),
        ("to python3 -c", Align::Right),
        ("first in a row", Align::Right),
    ]);
    let base = measured.iter().find(|one| one.contender.name == BASE);
    let base = base.and_then(|one| one.all.quantile(500));
    for one in measured {
        let median = one.all.quantile(500);
        let ratio = median.zip(base).map_or_else(
            || "-".to_owned(),
            |(median, base)| format!("{:.3}", median.as_secs_f64() / base.as_secs_f64()),
        );
        table.row([
            one.contender.name.clone(),
            one.all.len().to_string(),
            milliseconds(median),
            milliseconds(one.all.quantile(990)),
            ratio,
            milliseconds(one.firsts.quantile(500)),
        ]);
    }
    table
}
