//! `cargo xtask ci`: what a change must pass. The tests, then the demo, which is
//! the main job on real input; nothing may be skipped.

use crate::demo;
use crate::failure::Failure;
use crate::stages::{Finding, Stages, Strictness};
use crate::test;
use crate::workspace::Workspace;

/// Runs both and stops at the first that fails.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let mut stages = Stages::new(Strictness::Strict);
    stages.run("test", || {
        test::run(workspace, Strictness::Strict).map(|()| Finding::Done)
    })?;
    stages.run("demo", || demo::run(workspace).map(|()| Finding::Done))?;
    stages.finish("ci");
    Ok(())
}
