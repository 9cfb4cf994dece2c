//! Every program of the public corpora through the daemon, several at a time,
//! summed up by category.
//!
//! A HumanEval program must print `passed`. A RedCode program may end however
//! it likes within its limits: what counts is that it ended, that it is in the
//! ledger, and that the canaries stand. Whether each of them hits its own
//! target outside the sandbox is shown by `cargo xtask redcode`.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::api::{Answer, Client, Ending, Ran};
use crate::corpora::{self, Program};
use crate::demo::Account;
use crate::failure::Failure;
use crate::table::{Align, Table};
use crate::workspace::Workspace;

/// Enough for every program of the corpora that ends by itself.
const WALL_MS: u64 = 3_000;
/// Calls at a time for each processor: one runs while one is on its way.
const CALLS_PER_PROCESSOR: usize = 2;

/// A corpus and what its programs must do.
struct Corpus {
    title: &'static str,
    file: &'static str,
    expect: fn(&Ran) -> Result<(), String>,
}

const CORPORA: [Corpus; 2] = [
    Corpus {
        title: "HumanEval",
        file: "humaneval.jsonl",
        expect: prints_passed,
    },
    Corpus {
        title: "RedCode",
        file: "redcode-exec-python.jsonl",
        expect: launched,
    },
];

/// Runs what is there; a corpus that is not there is named.
pub(super) fn run(
    workspace: &Workspace,
    client: &Client,
    account: &mut Account,
) -> Result<(), Failure> {
    let folder = corpora::folder(workspace);
    let mut table = Table::new(&[
        ("corpus", Align::Left),
        ("category", Align::Left),
        ("programs", Align::Right),
        ("as expected", Align::Right),
        ("endings", Align::Left),
    ]);
    let mut ran_any = false;
    for corpus in &CORPORA {
        let programs = folder
            .as_ref()
            .map(|folder| corpora::read(&folder.join(corpus.file)));
        let Some(programs) = programs.transpose()?.flatten() else {
            println!(
                "{}: no `{}` here (set LAZARET_CORPORA to its folder)",
                corpus.title, corpus.file
            );
            continue;
        };
        let answers = run_all(corpus, &programs, client);
        for (category, summary) in summarise(corpus, &programs, answers, account) {
            table.row(summary.row(corpus.title, category));
        }
        ran_any = true;
    }
    if ran_any {
        println!("{table}");
    }
    Ok(())
}

/// The answers in the order of the programs.
fn run_all(corpus: &Corpus, programs: &[Program], client: &Client) -> Vec<Result<Answer, Failure>> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..calls_at_a_time() {
            scope.spawn(|| {
                let client = client.another();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(program) = programs.get(index) else {
                        return;
                    };
                    let answer = execute(&client, program);
                    if let Ok(mut answers) = answers.lock() {
                        answers.insert(index, answer);
                        progress(corpus, answers.len(), programs.len());
                    }
                }
            });
        }
    });
    answers
        .into_inner()
        .unwrap_or_default()
        .into_values()
        .collect()
}

fn calls_at_a_time() -> usize {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .saturating_mul(CALLS_PER_PROCESSOR)
}

fn execute(client: &Client, program: &Program) -> Result<Answer, Failure> {
    client.execute(&json!({
        "language": "python",
        "code": program.code,
        "limits": {"wall_ms": WALL_MS},
    }))
}

fn progress(corpus: &Corpus, done: usize, of: usize) {
    let mut terminal = std::io::stdout();
    if terminal.is_terminal() {
        let end = if done == of { "\r\x1b[K" } else { "" };
        drop(write!(terminal, "\r{} {done}/{of}{end}", corpus.title));
        drop(terminal.flush());
    }
}

/// The programs of one category together.
#[derive(Default)]
struct Summary {
    programs: u64,
    as_expected: u64,
    endings: BTreeMap<String, u64>,
}

impl Summary {
    fn count(&mut self, ending: String, as_expected: &Result<(), String>) {
        self.programs = self.programs.saturating_add(1);
        if as_expected.is_ok() {
            self.as_expected = self.as_expected.saturating_add(1);
        }
        let count = self.endings.entry(ending).or_default();
        *count = count.saturating_add(1);
    }

    fn row(&self, corpus: &str, category: &str) -> [String; 5] {
        let endings: Vec<String> = self
            .endings
            .iter()
            .map(|(ending, count)| format!("{count} {ending}"))
            .collect();
        [
            corpus.into(),
            if category.is_empty() { "-" } else { category }.into(),
            self.programs.to_string(),
            self.as_expected.to_string(),
            endings.join(", "),
        ]
    }
}

fn summarise<'a>(
    corpus: &Corpus,
    programs: &'a [Program],
    answers: Vec<Result<Answer, Failure>>,
    account: &mut Account,
) -> Vec<(&'a str, Summary)> {
    let mut summaries: BTreeMap<(usize, &str), Summary> = BTreeMap::new();
    if answers.len() != programs.len() {
        account.complaint(
            corpus.title,
            format!("{} answers to {} programs", answers.len(), programs.len()),
        );
    }
    for (program, answer) in programs.iter().zip(answers) {
        let (ending, found) = judge(corpus, program, answer, account);
        if let Err(what) = &found {
            account.complaint(&program.id, what);
        }
        // Numbered categories in the order of their numbers: "2" before "10".
        let key = (program.category.len(), program.category.as_str());
        summaries.entry(key).or_default().count(ending, &found);
    }
    summaries
        .into_iter()
        .map(|((_, category), summary)| (category, summary))
        .collect()
}

fn judge(
    corpus: &Corpus,
    program: &Program,
    answer: Result<Answer, Failure>,
    account: &mut Account,
) -> (String, Result<(), String>) {
    match answer {
        Ok(Answer::Ran(ran)) => {
            account.recorded(&program.id, &[ran.decision, ran.outcome]);
            (ran.ending_text(), (corpus.expect)(&ran))
        }
        Ok(Answer::Refused(refused)) => {
            let what = format!("refused with status {}: {}", refused.status, refused.detail);
            (format!("refused {}", refused.status), Err(what))
        }
        Err(failure) => ("no answer".into(), Err(failure.to_string())),
    }
}

fn prints_passed(ran: &Ran) -> Result<(), String> {
    if ran.exit_code == Some(0) && ran.stdout.lines().last() == Some("passed") {
        return Ok(());
    }
    let last = ran.stderr.lines().last().unwrap_or_default();
    Err(format!("{} without `passed`: {last}", ran.ending_text()))
}

fn launched(ran: &Ran) -> Result<(), String> {
    match ran.ending {
        Ending::Exited
        | Ending::TimedOut
        | Ending::OutOfMemory
        | Ending::OutOfFuel
        | Ending::Killed => Ok(()),
        Ending::LaunchFailed | Ending::Cancelled => Err(ran.ending_text()),
    }
}
