//! A command as a row of stages, each with a line that says how it went and how
//! long it took.
//!
//! A stage that could not be done is never silent: it is skipped with a reason,
//! and under CI a skipped stage is a failed one.

use std::thread;
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// Whether a stage may be skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// A person at work: what the machine lacks is skipped, and said.
    Lenient,
    /// Continuous integration: nothing is skipped.
    Strict,
}

impl Strictness {
    /// Strict where `CI` is set to anything but nothing, `0` or `false`.
    pub(crate) fn of_environment() -> Self {
        match std::env::var("CI").as_deref() {
            Err(_) | Ok("" | "0" | "false") => Self::Lenient,
            Ok(_) => Self::Strict,
        }
    }
}

/// How a stage that did not fail ended.
pub(crate) enum Finding {
    Done,
    /// Done but for one part that nobody can do on this machine.
    Noted(String),
    Skipped(String),
}

/// What a stage does, where several are done at once.
pub(crate) type Work<'work> = Box<dyn FnOnce() -> Result<Finding, Failure> + Send + 'work>;

/// The stages so far.
pub(crate) struct Stages {
    strictness: Strictness,
    started: Instant,
    remarks: Vec<String>,
}

impl Stages {
    pub(crate) fn new(strictness: Strictness) -> Self {
        Self {
            strictness,
            started: Instant::now(),
            remarks: Vec::new(),
        }
    }

    pub(crate) fn run(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<Finding, Failure>,
    ) -> Result<(), Failure> {
        println!("── {name}");
        let started = Instant::now();
        let finding = work();
        self.ended(name, finding, started.elapsed())
    }

    /// Stages that do not wait for one another. Each of them ends before the first that failed
    /// counts.
    pub(crate) fn run_at_once(&mut self, stages: Vec<(&str, Work<'_>)>) -> Result<(), Failure> {
        let ended: Vec<_> = thread::scope(|scope| {
            let timed = |work: Work<'_>| {
                let started = Instant::now();
                (work(), started.elapsed())
            };
            // All are started before the first is waited for.
            let mut running = Vec::new();
            for (name, work) in stages {
                println!("── {name}");
                running.push((name, scope.spawn(move || timed(work))));
            }
            let joined = running.into_iter().map(|(name, running)| {
                let ended = running.join();
                (
                    name,
                    ended.unwrap_or_else(|why| std::panic::resume_unwind(why)),
                )
            });
            joined.collect()
        });
        ended
            .into_iter()
            .try_for_each(|(name, (finding, took))| self.ended(name, finding, took))
    }

    fn ended(
        &mut self,
        name: &str,
        finding: Result<Finding, Failure>,
        took: Duration,
    ) -> Result<(), Failure> {
        let time = seconds(took);
        match finding {
            Ok(Finding::Done) => println!("── {name}: passed in {time}"),
            Ok(Finding::Noted(what)) => {
                println!("── {name}: passed in {time}, but {what}");
                self.remarks.push(format!("{name}: {what}"));
            }
            Ok(Finding::Skipped(why)) => self.skipped(name, why)?,
            Err(failure) => {
                println!("── {name}: FAILED after {time}");
                return Err(failure);
            }
        }
        Ok(())
    }

    /// The last line: the whole time, and once more all that was not done.
    pub(crate) fn finish(self, what: &str) {
        for remark in &self.remarks {
            println!("── not checked here: {remark}");
        }
        println!("── {what}: passed in {}", seconds(self.started.elapsed()));
    }

    fn skipped(&mut self, name: &str, why: String) -> Result<(), Failure> {
        match self.strictness {
            Strictness::Lenient => {
                println!("── {name}: SKIPPED, {why}");
                self.remarks.push(format!("{name}: {why}"));
                Ok(())
            }
            Strictness::Strict => Err(Failure::Check(format!(
                "stage `{name}` may not be skipped under CI: {why}"
            ))),
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(strictness: Strictness) -> Result<(), Failure> {
        Stages::new(strictness).run("it", || Ok(Finding::Skipped("no tool".into())))
    }

    #[test]
    fn stages_at_once_all_end_and_the_first_failure_counts() {
        let done = std::sync::atomic::AtomicBool::new(false);
        let fails: Work<'_> = Box::new(|| Err(Failure::Check("no".into())));
        let ends: Work<'_> = Box::new(|| {
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            Ok(Finding::Done)
        });
        let ended = Stages::new(Strictness::Strict).run_at_once(vec![("a", fails), ("b", ends)]);
        assert!(matches!(ended, Err(Failure::Check(why)) if why == "no"));
        assert!(done.into_inner());
    }

    #[test]
    fn a_skipped_stage_fails_under_ci_only() {
        assert!(skip(Strictness::Lenient).is_ok());
        assert!(matches!(skip(Strictness::Strict), Err(Failure::Check(_))));
    }
}
