//! The Landlock layer: every right the kernel and this program know is taken away, and
//! a fixed few are given back beneath `/workspace` and `/tmp`.
//!
//! Never best effort: a right that the running ABI has and that cannot be handled is an
//! error. Rights of a kernel newer than the landlock crate are unknown to it and stay as
//! they are; the report carries the kernel's ABI and the handled rights, so that this shows.

use std::fs::File;
use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};

use crate::error::{During, JailError};
use crate::plan::{Layer, Plan, SCRATCH, WORKSPACE};
use crate::sys;

/// The Landlock rules for a kernel, not yet in force.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fence {
    kernel_abi: u32,
    abi: ABI,
}

impl Fence {
    /// Asks the kernel, and refuses one that is older than the plan wants.
    pub(crate) fn for_plan(plan: &Plan) -> Result<Option<Self>, JailError> {
        if !plan.has(Layer::Landlock) {
            return Ok(None);
        }
        let kernel_abi =
            sys::landlock_abi().layer(Layer::Landlock, "asking the kernel for its ABI")?;
        if kernel_abi < plan.landlock_min_abi.max(1) {
            return Err(JailError::LandlockTooOld {
                wanted: plan.landlock_min_abi,
                has: kernel_abi,
            });
        }
        let abi = ABI::from(i32::try_from(kernel_abi).unwrap_or(i32::MAX));
        Ok(Some(Self { kernel_abi, abi }))
    }

    /// Confines the calling thread, which must be the only one.
    pub(crate) fn raise(self) -> Result<(), JailError> {
        self.raise_around(&[WORKSPACE, SCRATCH])
    }

    /// The same with nothing at all inside: for a trial.
    pub(crate) fn raise_around_nothing(self) -> Result<(), JailError> {
        self.raise_around(&[])
    }

    fn raise_around(self, directories: &[&str]) -> Result<(), JailError> {
        let open = |path: &&str| File::open(path);
        let opened = directories.iter().map(open).collect::<io::Result<Vec<_>>>();
        let opened = opened.layer(Layer::Landlock, "opening the directories")?;
        let status = self
            .restrict(opened)
            .map_err(io::Error::other)
            .layer(Layer::Landlock, "restricting the process")?;
        match status {
            RulesetStatus::FullyEnforced => Ok(()),
            RulesetStatus::PartiallyEnforced | RulesetStatus::NotEnforced => {
                Err(JailError::NotInForce {
                    layer: Layer::Landlock,
                    found: format!("{status:?}"),
                })
            }
        }
    }

    /// The kernel's ABI.
    pub(crate) fn kernel_abi(self) -> u32 {
        self.kernel_abi
    }

    /// Whether TCP is among what is handled.
    pub(crate) fn handles_tcp(self) -> bool {
        !AccessNet::from_all(self.abi).is_empty()
    }

    /// The rights that are taken away, by name.
    pub(crate) fn handled(self) -> Vec<String> {
        let files = AccessFs::from_all(self.abi)
            .iter()
            .map(|r| format!("{r:?}"));
        let net = AccessNet::from_all(self.abi)
            .iter()
            .map(|r| format!("{r:?}"));
        let scope = Scope::from_all(self.abi).iter().map(|r| format!("{r:?}"));
        files.chain(net).chain(scope).collect()
    }

    /// The rights that are given back beneath the two directories, by name.
    pub(crate) fn granted(self) -> Vec<String> {
        self.grant()
            .iter()
            .map(|right| format!("{right:?}"))
            .collect()
    }

    /// Plain files, directories and links: no execution, no devices, sockets or pipes.
    fn grant(self) -> BitFlags<AccessFs> {
        let wanted = AccessFs::ReadFile
            | AccessFs::ReadDir
            | AccessFs::WriteFile
            | AccessFs::Truncate
            | AccessFs::Refer
            | AccessFs::MakeReg
            | AccessFs::MakeDir
            | AccessFs::MakeSym
            | AccessFs::RemoveFile
            | AccessFs::RemoveDir;
        wanted & AccessFs::from_all(self.abi)
    }

    fn restrict(self, directories: Vec<File>) -> Result<RulesetStatus, landlock::RulesetError> {
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(self.abi))?;
        if self.handles_tcp() {
            rules = rules.handle_access(AccessNet::from_all(self.abi))?;
        }
        if !Scope::from_all(self.abi).is_empty() {
            rules = rules.scope(Scope::from_all(self.abi))?;
        }
        let mut made = rules.create()?;
        for directory in directories {
            made = made.add_rule(PathBeneath::new(directory, self.grant()))?;
        }
        Ok(made.restrict_self()?.ruleset)
    }
}
