//! `lazaret audit stats`: what the ledger holds, counted.

use std::collections::BTreeMap;
use std::process::ExitCode;

use audit::{Data, Reader};
use clap::Args;
use serde_json::json;

use super::super::show;
use super::super::{Failure, Places};
use super::ledger;

/// Records that are read at once.
const PAGE: usize = 1_000;

/// Count what the ledger holds.
#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    places: Places,
}

/// Counts by name, in groups.
#[derive(Default)]
struct Counts(BTreeMap<(&'static str, String), u64>);

impl Counts {
    fn add(&mut self, group: &'static str, name: impl Into<String>) {
        *self.0.entry((group, name.into())).or_default() += 1;
    }

    fn record(&mut self, data: &Data) {
        self.add("kind", data.kind().as_str());
        match data {
            Data::Decision(decision) => {
                self.add("verdict", format!("{:?}", decision.verdict).to_lowercase());
                self.add("tool", decision.tool.clone());
                for rule in &decision.rules {
                    self.add("rule", rule.clone());
                }
            }
            Data::Outcome(outcome) => self.add("ending", outcome.ending.clone()),
            Data::Note(note) => self.add("note", note.topic.clone()),
            Data::Start(_) | Data::Stop(_) | Data::Erasure(_) => {}
        }
    }
}

pub(super) fn stats(args: &StatsArgs) -> Result<ExitCode, Failure> {
    let reader = Reader::open(&ledger(&args.places)?)?;
    let mut counts = Counts::default();
    let (mut last, mut first_us, mut last_us) = (0, None, None);
    loop {
        let page = reader.after(last, PAGE)?;
        let Some(end) = page.last() else { break };
        last = end.seq();
        last_us = Some(end.time_us());
        first_us = first_us.or(page.first().map(audit::Record::time_us));
        for record in &page {
            counts.record(record.data());
        }
    }
    let signed = reader.checkpoint()?.map(|checkpoint| checkpoint.size());
    let time = |at: Option<u64>| at.map(show::time);
    if args.json {
        let mut groups: BTreeMap<&str, BTreeMap<String, u64>> = BTreeMap::new();
        for ((group, name), count) in counts.0 {
            groups.entry(group).or_default().insert(name, count);
        }
        let document = json!({
            "records": last, "signed": signed, "first": time(first_us), "last": time(last_us),
            "counts": groups,
        });
        show::line(&serde_json::to_string_pretty(&document)?);
        return Ok(ExitCode::SUCCESS);
    }
    let signed = signed.map_or_else(|| "none".to_owned(), |size| size.to_string());
    show::line(&format!("{last} records, signed: {signed}"));
    if let (Some(first), Some(last)) = (time(first_us), time(last_us)) {
        show::line(&format!("from {first} to {last}"));
    }
    let rows: Vec<Vec<String>> = counts
        .0
        .into_iter()
        .map(|((group, name), count)| vec![group.to_owned(), name, count.to_string()])
        .collect();
    show::table(&["", "", "count"], &rows);
    Ok(ExitCode::SUCCESS)
}
