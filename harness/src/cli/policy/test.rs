//! `lazaret policy test`: the tests in a policy's rules, what they cover, and what they would miss.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use harness::config::{Written, included, read_text};
use policy::{LoadError, Policy, Profiles, RuleCoverage, TestReport, mutate_with, test_policy};

use super::super::show::{self, Tone};
use super::super::{Failure, Places, STATUS_NO, write};

/// Run the tests in a policy.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Policy file
    file: PathBuf,
    /// Show what the tests cover, rule by rule
    #[arg(long)]
    coverage: bool,
    /// Change each rule a little and ask whether some test notices
    #[arg(long)]
    mutate: bool,
    /// Exit with 0 even if no test notices some change
    #[arg(long, requires = "mutate")]
    allow_survivors: bool,
    /// Write a report in JUnit's XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    places: Places,
}

pub(crate) fn test(args: &TestArgs) -> Result<ExitCode, Failure> {
    let profiles = args.places.config(Written::default())?.load_profiles()?;
    let name = args.file.display().to_string();
    let text = read_text(&args.file)?;
    let mut texts = included(&args.file, |_| {});
    let report = match test_policy(&name, &text, &profiles, &mut texts) {
        Ok(report) => report,
        Err(error) => return Ok(does_not_load(&error)),
    };
    if let Some(junit) = &args.junit {
        write::replace(junit, report.to_junit().as_bytes())?;
    }
    tell(&name, &report);
    if args.coverage {
        tell_coverage(&report.coverage);
    }
    if !report.passes() {
        return Ok(ExitCode::from(STATUS_NO));
    }
    match args.mutate {
        true => mutants(args, &name, &text, &profiles),
        false => Ok(ExitCode::SUCCESS),
    }
}

fn does_not_load(error: &LoadError) -> ExitCode {
    for problem in error.problems() {
        eprint!("{}", problem.report());
    }
    eprintln!("lazaret: {error}");
    ExitCode::from(STATUS_NO)
}

fn tell(name: &str, report: &TestReport) {
    for failure in report.cases.iter().flat_map(|case| &case.failures) {
        eprint!("{}", failure.report());
    }
    let (all, failed) = (report.cases.len(), report.failed());
    let passed = all - failed;
    let tone = if failed == 0 { Tone::Good } else { Tone::Bad };
    let summary = show::tone(tone, &format!("{passed} of {all} tests pass"));
    show::line(&format!("{name}: {summary}"));
}

// ---- coverage -----------------------------------------------------------------------------------

fn tell_coverage(coverage: &[RuleCoverage]) {
    let rows = coverage.iter().map(|rule| {
        let (shown, sides) = sides(rule);
        vec![
            rule.rule.clone(),
            (rule.takes_effect + rule.does_not).to_string(),
            rule.takes_effect.to_string(),
            rule.does_not.to_string(),
            format!("{shown}/{sides}"),
        ]
    });
    show::table(
        &["rule", "tests", "in effect", "not", "sides of conditions"],
        &rows.collect::<Vec<_>>(),
    );
    for gap in coverage {
        let gap = gap.to_string();
        gap.lines().for_each(show::line);
    }
}

/// Each condition has two sides, that it holds and that it does not.
fn sides(rule: &RuleCoverage) -> (usize, usize) {
    let shown = rule.conditions.iter();
    let shown = shown.map(|one| usize::from(one.holds > 0) + usize::from(one.does_not > 0));
    (shown.sum(), 2 * rule.conditions.len())
}

// ---- mutants ------------------------------------------------------------------------------------

fn mutants(
    args: &TestArgs,
    name: &str,
    text: &str,
    profiles: &Profiles,
) -> Result<ExitCode, Failure> {
    let mut texts = included(&args.file, |_| {});
    let policy = Policy::load_with(name, text, profiles, &mut texts)?;
    let bar = show::bar(policy.rules().count(), "rules changed");
    let mutants = mutate_with(&policy, &mut |done| bar.set_position(done as u64));
    bar.finish_and_clear();
    let survivors: Vec<_> = mutants
        .iter()
        .filter(|mutant| mutant.caught_by.is_none())
        .collect();
    for mutant in &survivors {
        show::line(&format!("{}: {mutant}", mutant.place));
    }
    let (all, survived) = (mutants.len(), survivors.len());
    let tone = if survived == 0 { Tone::Good } else { Tone::Bad };
    let caught = all - survived;
    let summary = show::tone(tone, &format!("{caught} of {all} changes are noticed"));
    show::line(&format!("{name}: {summary}"));
    Ok(match survived == 0 || args.allow_survivors {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(STATUS_NO),
    })
}
