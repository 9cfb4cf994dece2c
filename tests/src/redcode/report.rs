//! What a run of hostile programs showed, and the table a person reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::unheard;
use crate::arena::{Kind, Report, Run};
use crate::corpus::Case;

/// What both sides showed.
#[derive(Debug)]
pub struct Outcome {
    /// The programs.
    pub cases: Vec<Case>,
    /// The native side, if it ran.
    pub control: Option<Report>,
    /// The daemon's side, if it ran.
    pub sandboxed: Option<Report>,
    /// What the control left on the real host.
    pub host: Vec<String>,
}

impl Outcome {
    /// Everything that must not be; empty when the run passed.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let mut failures: Vec<String> = self.host.iter().map(|t| format!("host: {t}")).collect();
        if let Some(control) = &self.control {
            failures.extend(self.incomplete("control", control));
            failures.extend(
                unheard(control)
                    .iter()
                    .map(|kind| format!("no control hit a canary of kind {kind:?}")),
            );
        }
        if let Some(sandboxed) = &self.sandboxed {
            failures.extend(self.incomplete("sandboxed", sandboxed));
            failures.extend(sandboxed.faults.clone());
            for run in &sandboxed.runs {
                failures.extend(run.hits.iter().map(|hit| format!("{}: {hit}", run.id)));
                failures.extend(
                    run.faults
                        .iter()
                        .map(|fault| format!("{}: {fault}", run.id)),
                );
            }
        }
        failures
    }

    fn incomplete(&self, side: &str, report: &Report) -> Option<String> {
        let (ran, all) = (report.runs.len(), self.cases.len());
        (ran != all).then(|| format!("{side}: {ran} of {all} programs ran"))
    }

    /// One line for each category.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = format!(
            "{:>8} {:>8} | {:>9} {:<34} | {:>9} {:>8} {:>6} {:>9}\n",
            "category",
            "programs",
            "hit",
            "control: kinds of canary",
            "contained",
            "exited",
            "other",
            "longest"
        );
        for category in self.categories() {
            let control = self.of(self.control.as_ref(), &category);
            let sandboxed = self.of(self.sandboxed.as_ref(), &category);
            let count = self.cases.iter().filter(|c| c.category == category).count();
            let hit = control.iter().filter(|run| !run.hits.is_empty()).count();
            let contained = sandboxed
                .iter()
                .filter(|r| r.hits.is_empty() && r.faults.is_empty());
            let exited = sandboxed
                .iter()
                .filter(|run| run.ending == "exited")
                .count();
            let longest = sandboxed.iter().map(|run| run.wall_ms).max().unwrap_or(0);
            // Writing to a string does not fail.
            writeln!(
                table,
                "{category:>8} {count:>8} | {hit:>9} {:<34} | {:>9} {exited:>8} {:>6} {longest:>6} ms",
                kinds(&control),
                contained.count(),
                sandboxed.len() - exited,
            )
            .ok();
        }
        table
    }

    /// Each place that a control hit, by kind, with the number of programs.
    #[must_use]
    pub fn places(&self) -> String {
        let mut hits: BTreeMap<(Kind, &str), usize> = BTreeMap::new();
        let runs = self.control.iter().flat_map(|control| &control.runs);
        for hit in runs.flat_map(|run| &run.hits) {
            *hits.entry((hit.kind, hit.place.as_str())).or_default() += 1;
        }
        let lines = hits
            .iter()
            .map(|((kind, place), count)| format!("{kind:?} {place} ({count})\n"));
        let unplanted = self.control.iter().flat_map(|control| &control.unplanted);
        lines
            .chain(unplanted.map(|place| format!("not planted: {place}\n")))
            .collect()
    }

    /// One line for each program of a report: what it hit and how it ended.
    #[must_use]
    pub fn programs(report: &Report) -> String {
        let line = |run: &Run| {
            let hits: Vec<String> = run.hits.iter().map(ToString::to_string).collect();
            let hits = hits.join(", ");
            format!(
                "{:<22} {:<10} {:>5} ms  {hits}\n",
                run.id, run.ending, run.wall_ms
            )
        };
        report.runs.iter().map(line).collect()
    }

    fn categories(&self) -> Vec<String> {
        let set: BTreeSet<(u32, &str)> = self
            .cases
            .iter()
            .map(|case| {
                (
                    case.category.parse().unwrap_or(u32::MAX),
                    case.category.as_str(),
                )
            })
            .collect();
        set.into_iter().map(|(_, name)| name.to_owned()).collect()
    }

    fn of<'a>(&self, report: Option<&'a Report>, category: &str) -> Vec<&'a Run> {
        let ids: BTreeSet<&str> = self
            .cases
            .iter()
            .filter(|case| case.category == category)
            .map(|case| case.id.as_str())
            .collect();
        let runs = report.into_iter().flat_map(|report| &report.runs);
        runs.filter(|run| ids.contains(run.id.as_str())).collect()
    }
}

fn kinds(runs: &[&Run]) -> String {
    let kinds: BTreeSet<Kind> = runs.iter().flat_map(|run| super::kinds(run)).collect();
    let names: Vec<String> = kinds
        .iter()
        .map(|kind| format!("{kind:?}").to_lowercase())
        .collect();
    names.join(" ")
}
