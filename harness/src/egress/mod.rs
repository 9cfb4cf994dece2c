//! The way out of containers: a door for each, opened for the container backend, judged by the
//! policy in force, recorded in the ledger.
//!
//! ```text
//!  executor::container ── open ──► Doors ──► egress::Door in STATE/egress/PROCESS/NUMBER/
//!                         begin ─►  its call            │ Rules:   policy in force, book
//!                         close ─►  last records        │ Records: ledger
//! ```
//!
//! Judges nothing and reads nothing itself: it brings together the proxy (`egress`), the policy in
//! force and the ledger, which know nothing of each other. What cannot be opened is told to who
//! wanted it, in one line; then the container is not made.

mod file;
mod folder;
mod records;
mod rules;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ::egress::{Authority, Caller, Limits, Secrets, Settings};
use audit::Ledger;
use executor::container::{Closing, Door, DoorPlan, EGRESS_AUTHORITIES, EGRESS_SOCKET};
use policy::{Inspect, Permit};

pub use self::file::{EgressError, EgressSettings};
use self::folder::{DoorFolder, ProcessFolder};
use self::records::Records;
use self::rules::RulesInForce;
use crate::book::Book;
use crate::in_force::InForce;

/// Opens doors for the containers of one process.
pub(crate) struct Doors {
    settings: EgressSettings,
    rules: Arc<InForce>,
    book: Arc<Book>,
    ledger: Ledger,
    /// The state directory, for the folders of doors and for the authority.
    state: PathBuf,
    /// Made with the first door.
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    folder: Option<Arc<ProcessFolder>>,
    authority: Option<Arc<Authority>>,
}

impl std::fmt::Debug for Doors {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Doors")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Doors {
    pub(crate) fn new(
        settings: EgressSettings,
        rules: Arc<InForce>,
        book: Arc<Book>,
        ledger: Ledger,
        state: PathBuf,
    ) -> Self {
        Self {
            settings,
            rules,
            book,
            ledger,
            state,
            made: Mutex::default(),
        }
    }

    /// Remove what processes that are no more have left behind.
    ///
    /// # Errors
    /// What the kernel said.
    pub(crate) fn sweep(&self) -> io::Result<usize> {
        folder::sweep(&self.state)
    }

    /// Remove the folder of this process, once its last door is closed.
    pub(crate) fn close(&self) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        *made = Made::default();
    }

    /// The folder of this process, and the authority if it is needed.
    fn made(&self, inspects: bool) -> Result<(Arc<ProcessFolder>, Option<Arc<Authority>>), String> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = match &made.folder {
            Some(folder) => Arc::clone(folder),
            None => {
                let folder = ProcessFolder::make(&self.state).map_err(|error| error.to_string())?;
                Arc::clone(made.folder.insert(Arc::new(folder)))
            }
        };
        if inspects && made.authority.is_none() {
            let authority = Authority::open(&self.state).map_err(|error| error.to_string())?;
            made.authority = Some(Arc::new(authority));
        }
        let authority = made.authority.clone().filter(|_| inspects);
        Ok((folder, authority))
    }

    /// What the guest is to trust; nothing where the roots of its image are enough.
    fn authorities(
        &self,
        inspect: Inspect,
        authority: Option<&Authority>,
    ) -> Result<Option<String>, String> {
        let ours = authority.map(|authority| authority.certificate_pem().to_owned());
        let theirs = match inspect {
            // Nobody else is ever seen in there.
            Inspect::Everything => return Ok(ours),
            Inspect::Nothing if ours.is_none() && !self.settings.trusts_more() => return Ok(None),
            Inspect::Nothing => self.settings.trust().to_pem(),
        };
        let theirs = theirs.map_err(|error| error.to_string())?;
        Ok(Some(ours.unwrap_or_default() + &theirs))
    }

    fn settings(
        &self,
        plan: &DoorPlan,
        authority: Option<Arc<Authority>>,
        secrets: Secrets,
    ) -> Settings {
        let rules = RulesInForce::new(Arc::clone(&self.rules), Arc::clone(&self.book));
        let records = Records::new(&plan.profile, self.ledger.clone(), Arc::clone(&self.rules));
        Settings {
            judge: Arc::new(::egress::PolicyJudge::new(&plan.profile, Arc::new(rules))),
            sink: Arc::new(records),
            limits: Limits::default(),
            budget: self.settings.budget(),
            names: self.settings.names(),
            trust: self.settings.trust().clone(),
            inspect: plan.inspect,
            authority,
            secrets,
        }
    }
}

impl executor::container::Doors for Doors {
    fn open(&self, plan: &DoorPlan) -> Result<Box<dyn Door>, String> {
        let secrets = self.settings.secrets().map_err(|error| error.to_string())?;
        let inspects =
            plan.inspect == Inspect::Everything || secrets.placeholders().next().is_some();
        let (process, authority) = self.made(inspects)?;
        let folder = DoorFolder::make(process).map_err(|error| error.to_string())?;
        if let Some(pem) = self.authorities(plan.inspect, authority.as_deref())? {
            let file = folder.path().join(EGRESS_AUTHORITIES);
            // For the guest, whose user is another, whatever the process's mask.
            let written = fs::write(&file, pem)
                .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o644)));
            written.map_err(|error| format!("`{}`: {error}", file.display()))?;
        }
        let settings = self.settings(plan, authority, secrets);
        let door = ::egress::Door::open(folder.path(), settings);
        Ok(Box::new(ContainerDoor {
            door: door.map_err(|error| error.to_string())?,
            folder,
        }))
    }
}

/// Who connects inside and who listens outside mean the same file.
const _: () = assert!(
    matches!(EGRESS_SOCKET.as_bytes(), SOCKET_BYTES),
    "the socket of a door has two names: look at executor/init/src/lib.rs and executor/egress/src/door.rs"
);
const SOCKET_BYTES: &[u8] = ::egress::SOCKET.as_bytes();

/// The door of one container, with the folder that is mounted there.
struct ContainerDoor {
    // Before its folder, in which its socket lies.
    door: ::egress::Door,
    folder: DoorFolder,
}

impl std::fmt::Debug for ContainerDoor {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_tuple("ContainerDoor")
            .field(&self.folder.path())
            .finish()
    }
}

impl Door for ContainerDoor {
    fn directory(&self) -> &Path {
        self.folder.path()
    }

    fn begin(&self, permit: &Permit) -> Vec<(String, String)> {
        let call = permit.call();
        self.door.begin(Caller {
            call_id: permit.call_id(),
            principal: call.principal().to_owned(),
            session: call.session().map(str::to_owned),
        });
        let pairs = self.door.placeholders();
        pairs
            .map(|(name, placeholder)| (name.to_owned(), placeholder.to_owned()))
            .collect()
    }

    fn close(self: Box<Self>) -> Closing {
        Box::pin(async move {
            let Self { door, folder } = *self;
            door.close().await;
            drop(folder);
        })
    }
}
