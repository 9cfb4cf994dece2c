//! `cargo xtask test`: everything that can be wrong with the project, cheapest
//! first.
//!
//! It never times anything and never passes over a missing tool in silence.

use std::process::Command;

use crate::containers;
use crate::deny;
use crate::edges;
use crate::failure::Failure;
use crate::fuzz;
use crate::setup;
use crate::shell;
use crate::stages::{Finding, Stages, Strictness};
use crate::workspace::Workspace;

/// Runs all stages and stops at the first that fails.
pub(crate) fn run(workspace: &Workspace, strictness: Strictness) -> Result<(), Failure> {
    let mut stages = Stages::new(strictness);
    stages.run("setup", || {
        done(setup::tools().and_then(|()| components(workspace)))
    })?;
    stages.run("programs of the tests", setup::test_programs)?;
    stages.run("format", || done(format(workspace)))?;
    stages.run("edges", || done(edges::check(workspace)))?;
    stages.run("deny", || deny::check(workspace, strictness))?;
    stages.run("clippy", || done(clippy(workspace)))?;
    stages.run("build", || done(setup::binaries(workspace)))?;
    // The runtimes and the image leave a processor to the compiler.
    stages.run_at_once(vec![
        ("runtimes", Box::new(|| done(setup::runtime(workspace)))),
        ("containers", Box::new(|| containers::stage(workspace))),
        (
            "building the tests",
            Box::new(|| done(build_tests(workspace))),
        ),
    ])?;
    stages.run("tests", || done(run_tests(workspace, strictness)))?;
    stages.run("doc tests", || {
        done(cargo(workspace, &["test", "--workspace", "--doc"]))
    })?;
    stages.run("fuzz", || fuzz::stage(workspace, strictness))?;
    stages.finish("test");
    Ok(())
}

/// rustfmt and clippy come with rustup's default profile; with its minimal one
/// they are added.
fn components(workspace: &Workspace) -> Result<(), Failure> {
    let there = |tool: &str| shell::holds(shell::cargo(workspace.root()).args([tool, "--version"]));
    if there("fmt") && there("clippy") {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    shell::run(rustup.args(["component", "add", "rustfmt", "clippy"]))
}

/// The workspaces beside ours are read by people as well.
fn format(workspace: &Workspace) -> Result<(), Failure> {
    cargo(workspace, &["fmt", "--all", "--check"])?;
    ["fuzz/Cargo.toml", "bench/peers/Cargo.toml"]
        .iter()
        .try_for_each(|manifest| cargo(workspace, &["fmt", "--check", "--manifest-path", manifest]))
}

fn clippy(workspace: &Workspace) -> Result<(), Failure> {
    cargo(
        workspace,
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ],
    )
}

fn build_tests(workspace: &Workspace) -> Result<(), Failure> {
    shell::run(tests(workspace).arg("--no-run"))
}

fn run_tests(workspace: &Workspace, strictness: Strictness) -> Result<(), Failure> {
    let mut tests = tests(workspace);
    tests.arg("--no-fail-fast");
    if strictness == Strictness::Strict {
        // A test that lacks what it needs skips for a person and fails here.
        tests.env("CI", "true");
    }
    shell::run(&mut tests)
}

/// With nextest where it is there: the same tests, told better.
fn tests(workspace: &Workspace) -> Command {
    let mut tests = shell::cargo(workspace.root());
    match shell::find("cargo-nextest") {
        Some(_) => tests.args(["nextest", "run"]),
        None => tests.args(["test", "--lib", "--bins", "--tests"]),
    };
    tests.arg("--workspace");
    tests
}

fn cargo(workspace: &Workspace, arguments: &[&str]) -> Result<(), Failure> {
    shell::run(shell::cargo(workspace.root()).args(arguments))
}

fn done(result: Result<(), Failure>) -> Result<Finding, Failure> {
    result.map(|()| Finding::Done)
}
