//! Containers kept ready, and the way of an admitted call through one of them.
//!
//! A shelf holds the idle containers of one profile and runtime. It is empty until somebody
//! calls; then as many are made ahead as calls ran at once of late, within a bound. A container
//! that waited is looked at again when a call takes it, and held against the profile of that
//! call's own permit: what was in force when it was made does not count. After its call it is
//! removed, and counts as running until it is gone.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use container_init::{Start, WORKSPACE};
use policy::{Permit, Profile};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::docker::Docker;
use super::door::{Door, DoorPlan, Doors};
use super::error::ContainerError;
use super::image::{ImageError, ImageLock, ImageStore};
use super::life::Life;
use super::live::{Container, inner_limits, shut};
use super::manifest::ImageManifest;
use super::plan::{ContainerPlan, OciRuntime, plan};
use crate::admitted::Admitted;
use crate::outcome::{Ending, Outcome};
use crate::program::Program;
use crate::receipt::{ContainerFacts, ContainerReceipt, ImageReceipt, Receipt};
use crate::runtime::hex::hex;
use crate::wasm::{PoolSettings, PoolState, WorkerTap};

/// By this label, with the installation's own id, its containers are found again. Others' are
/// never touched.
pub(crate) const LABEL: &str = "lazaret.installation";

/// The label with the life of the process that made it.
const LABEL_LIFE: &str = "lazaret.life";

/// The label with the profile's name, for people.
const LABEL_PROFILE: &str = "lazaret.profile";

/// How long a container waits for a call that does not come.
const IDLE_WAIT: Duration = Duration::from_secs(600);

/// How often a waiting container is looked at.
const IDLE_STEP: Duration = Duration::from_secs(30);

/// The arguments by which gVisor lets a guest connect to a mounted socket.
const HOST_SOCKETS: [&str; 3] = ["--host-uds=open", "--host-uds=all", "--fsgofer-host-uds"];

/// What every program finds in its environment, and nothing else.
const ENVIRONMENT: [(&str, &str); 4] = [
    (
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    ("HOME", "/tmp"),
    ("TMPDIR", "/tmp"),
    ("LANG", "C.UTF-8"),
];

/// Where containers are made.
#[derive(Debug, Clone)]
pub struct ContainerHost {
    /// Docker's socket.
    pub socket: PathBuf,
    /// The images.
    pub images: ImageStore,
    /// What tells this installation's containers from those of others.
    pub installation: String,
    /// Folder of the lock files of its processes.
    pub lives: PathBuf,
    /// How many containers.
    pub pool: PoolSettings,
    /// Opens the way out of containers; without it a profile that has one is not run.
    pub doors: Option<Arc<dyn Doors>>,
}

/// What Docker tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerAbout {
    /// Its version.
    pub version: String,
    /// 1 or 2.
    pub cgroup_version: String,
    /// The OCI runtimes with program and arguments, by name.
    pub oci_runtimes: Vec<(String, String)>,
}

/// The backend.
#[derive(Debug, Clone)]
pub struct Containers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    docker: Docker,
    host: ContainerHost,
    /// Images that were found built, by runtime.
    images: Mutex<HashMap<String, Arc<Image>>>,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    shelves: Mutex<HashMap<Key, Shelf>>,
    background: TaskTracker,
    closed: CancellationToken,
    /// Begun with the first container.
    life: OnceCell<Life>,
    /// Set once what earlier lives left behind is gone.
    swept: OnceCell<usize>,
    /// Containers that could not be removed: Docker was away.
    left: Mutex<Vec<String>>,
}

/// A runtime that is built.
#[derive(Debug)]
struct Image {
    manifest: ImageManifest,
    lock: ImageLock,
}

/// Containers are alike when the profile, the runtime and the memory are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    profile: [u8; 32],
    /// The profile's name, for the label.
    name: String,
    runtime: String,
    memory_bytes: u64,
}

/// The idle containers of one kind.
#[derive(Debug)]
struct Shelf {
    ready: Vec<Made>,
    /// Being made.
    coming: usize,
    /// Calls that run now.
    running: usize,
    /// Calls that ran at once, at most, since the shelf was last still.
    wanted: usize,
    last_call: Instant,
}

/// A container with what is known of its making.
#[derive(Debug)]
struct Made {
    container: Container,
    about: ImageReceipt,
}

/// Everything about a call but its container.
struct Wanted {
    key: Key,
    plan: ContainerPlan,
    image: Arc<Image>,
    start: Start,
    /// Whether containers of this kind are made ahead.
    shelved: bool,
}

impl Containers {
    /// A backend that has made nothing yet. Docker is not asked.
    #[must_use]
    pub fn new(host: ContainerHost) -> Self {
        Self(Arc::new(Inner {
            docker: Docker::at(host.socket.clone()),
            images: Mutex::default(),
            slots: Arc::new(Semaphore::new(host.pool.most)),
            waiting: AtomicUsize::new(0),
            shelves: Mutex::default(),
            background: TaskTracker::new(),
            closed: CancellationToken::new(),
            life: OnceCell::new(),
            swept: OnceCell::new(),
            left: Mutex::default(),
            host,
        }))
    }

    /// Docker's socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.0.docker.socket()
    }

    /// What Docker tells of itself.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn about(&self) -> Result<DockerAbout, ContainerError> {
        DockerAbout::of(&self.0.docker).await
    }

    /// Remove what dead processes of this installation left behind, and say how many that were.
    /// It is done once, before the first container is made.
    ///
    /// # Errors
    /// When Docker does not list its containers.
    pub async fn sweep(&self) -> Result<usize, ContainerError> {
        self.0.sweep().await
    }

    /// Whether containers of `profile` could be made here: Docker and its OCI runtime.
    ///
    /// # Errors
    /// What is missing.
    pub async fn check(&self, profile: &Profile) -> Result<(), ContainerError> {
        let plan = plan(profile, profile.limits().memory_bytes)?;
        self.about().await?.oci(&plan).map(drop)
    }

    /// Whether runtime `name` is built, and Docker has its image.
    ///
    /// # Errors
    /// What is missing.
    pub async fn check_image(&self, name: &str) -> Result<(), ContainerError> {
        let image = self.0.image(name)?;
        self.0.docker.has_image(name, &image.lock.image).await
    }

    /// True when one more call would be turned away.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.slots.available_permits() == 0
            && self.0.waiting.load(Ordering::Relaxed) >= self.0.host.pool.waiting
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> PoolState {
        PoolState {
            idle: self
                .0
                .shelves()
                .values()
                .map(|shelf| shelf.ready.len())
                .sum(),
            running: self
                .0
                .host
                .pool
                .most
                .saturating_sub(self.0.slots.available_permits()),
            waiting: self.0.waiting.load(Ordering::Relaxed),
        }
    }

    /// Take no more calls and remove all containers, those that are being made too.
    pub async fn close(&self) {
        self.0.slots.close();
        self.0.closed.cancel();
        self.0.background.close();
        self.0.background.wait().await;
        let shelves = std::mem::take(&mut *self.0.shelves());
        for made in shelves.into_values().flat_map(|shelf| shelf.ready) {
            self.0.remove(made.container.id()).await;
        }
    }

    /// Run an admitted call to its end, whatever that is.
    pub async fn run(
        &self,
        admitted: &Admitted,
        cancel: &CancellationToken,
        tap: &dyn WorkerTap,
    ) -> Outcome {
        let slot = {
            let _waiting = Waiting::enter(&self.0.waiting);
            tokio::select! {
                slot = Arc::clone(&self.0.slots).acquire_owned() => slot,
                () = cancel.cancelled() => return Outcome::bare(Ending::Cancelled, None),
            }
        };
        let Ok(slot) = slot else {
            return Outcome::bare(Ending::Cancelled, None);
        };
        let permit = admitted.permit();
        let mut wanted = match self.0.wanted(permit) {
            Ok(wanted) => wanted,
            Err(why) => return Outcome::bare(Ending::LaunchFailed(why), None),
        };
        let start = std::mem::take(&mut wanted.start);
        self.enter(&wanted);
        let outcome = self
            .run_in_slot(slot, permit, &wanted, start, cancel, tap)
            .await;
        self.leave(&wanted);
        outcome
    }

    async fn run_in_slot(
        &self,
        slot: OwnedSemaphorePermit,
        permit: &Permit,
        wanted: &Wanted,
        mut start: Start,
        cancel: &CancellationToken,
        tap: &dyn WorkerTap,
    ) -> Outcome {
        let (mut made, facts, warm) = match self.container(wanted).await {
            Ok(found) => found,
            Err(error) => return Outcome::bare(Ending::LaunchFailed(error.to_string()), None),
        };
        let pid = made.container.pid();
        tap.ready(pid);
        let docker = &self.0.docker;
        let limits = permit.grant().limits();
        made.container.begin(permit, &mut start);
        let call = made
            .container
            .call(docker, &start, limits, cancel, || tap.sent(pid));
        let mut outcome = call.await;
        tap.answered(pid);
        // Before the outcome: every request of the call is in the ledger then.
        shut(made.container.door.take()).await;
        outcome.receipt = Some(receipt(permit, made.about.clone(), facts, warm));
        self.bury(slot, made);
        outcome
    }

    /// A container that holds against the plan of this call: one that waits, or a new one.
    async fn container(
        &self,
        wanted: &Wanted,
    ) -> Result<(Made, ContainerFacts, bool), ContainerError> {
        let image = &wanted.image.lock.image;
        // One that died while it waited had no call: nothing is lost by another.
        while let Some(mut made) = self.0.take(&wanted.key) {
            match made
                .container
                .check(&self.0.docker, &wanted.plan, image)
                .await
            {
                Ok(facts) => return Ok((made, facts, true)),
                Err(error) => {
                    tracing::warn!(%error, "a waiting container was not used");
                    self.0.remove(made.container.id()).await;
                }
            }
        }
        let mut made = self
            .0
            .make(&wanted.key.name, &wanted.plan, &wanted.image)
            .await?;
        match made
            .container
            .check(&self.0.docker, &wanted.plan, image)
            .await
        {
            Ok(facts) => Ok((made, facts, false)),
            Err(error) => {
                self.0.remove(made.container.id()).await;
                Err(error)
            }
        }
    }

    /// Remove it. The slot is free when it is gone.
    fn bury(&self, slot: OwnedSemaphorePermit, made: Made) {
        let this = self.clone();
        self.0.background.spawn(async move {
            this.0.remove(made.container.id()).await;
            drop(made);
            drop(slot);
        });
    }

    fn enter(&self, wanted: &Wanted) {
        if wanted.shelved {
            let mut shelves = self.0.shelves();
            shelves.entry(wanted.key.clone()).or_default().enter();
        }
    }

    /// The call is over: make as many ahead as are missing.
    fn leave(&self, wanted: &Wanted) {
        if !wanted.shelved {
            return;
        }
        let missing = {
            let mut shelves = self.0.shelves();
            let shelf = shelves.entry(wanted.key.clone()).or_default();
            shelf.running = shelf.running.saturating_sub(1);
            shelf.order(self.0.host.pool.warm)
        };
        for _ in 0..missing {
            let (this, key, plan) = (self.clone(), wanted.key.clone(), wanted.plan.clone());
            let image = Arc::clone(&wanted.image);
            self.0
                .background
                .spawn(async move { this.stock(key, &plan, &image).await });
        }
    }

    /// Make one ahead and watch over it until it is taken or has waited too long.
    async fn stock(&self, key: Key, plan: &ContainerPlan, image: &Image) {
        let made = self.0.make(&key.name, plan, image).await;
        let id = {
            let mut shelves = self.0.shelves();
            let shelf = shelves.entry(key.clone()).or_default();
            shelf.coming = shelf.coming.saturating_sub(1);
            match made {
                Ok(made) => {
                    let id = made.container.id().to_owned();
                    shelf.ready.push(made);
                    id
                }
                Err(error) => {
                    tracing::warn!(%error, "no container could be made ahead");
                    return;
                }
            }
        };
        while !self.0.closed.is_cancelled() {
            tokio::select! {
                () = tokio::time::sleep(IDLE_STEP) => {}
                () = self.0.closed.cancelled() => return,
            }
            match self.0.retire(&key, &id) {
                Waits::Gone => return,
                Waits::Still => {}
                Waits::TooLong(made) => {
                    self.0.remove(made.container.id()).await;
                    return;
                }
            }
        }
    }
}

/// What became of a waiting container.
enum Waits {
    /// A call took it.
    Gone,
    /// It waits, and calls come.
    Still,
    /// No call has come for long.
    TooLong(Box<Made>),
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            ready: Vec::new(),
            coming: 0,
            running: 0,
            wanted: 0,
            last_call: Instant::now(),
        }
    }
}

impl Shelf {
    fn enter(&mut self) {
        self.running = self.running.saturating_add(1);
        self.wanted = self.wanted.max(self.running);
        self.last_call = Instant::now();
    }

    /// How many are to be made now; they count as coming.
    fn order(&mut self, most: usize) -> usize {
        let there = self.ready.len().saturating_add(self.coming);
        let missing = self.wanted.min(most).saturating_sub(there);
        self.coming = self.coming.saturating_add(missing);
        missing
    }
}

impl Inner {
    fn shelves(&self) -> MutexGuard<'_, HashMap<Key, Shelf>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self) -> MutexGuard<'_, Vec<String>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remove a container. One that cannot be removed now is tried again before the next is made.
    async fn remove(&self, id: &str) {
        if let Err(error) = self.docker.remove(id).await {
            tracing::warn!(%error, container = id, "a container could not be removed");
            self.left().push(id.to_owned());
        }
    }

    async fn remove_left(&self) {
        let left = std::mem::take(&mut *self.left());
        for id in left {
            self.remove(&id).await;
        }
    }

    fn take(&self, key: &Key) -> Option<Made> {
        self.shelves().get_mut(key)?.ready.pop()
    }

    fn retire(&self, key: &Key, id: &str) -> Waits {
        let mut shelves = self.shelves();
        let Some(shelf) = shelves.get_mut(key) else {
            return Waits::Gone;
        };
        let Some(at) = shelf
            .ready
            .iter()
            .position(|made| made.container.id() == id)
        else {
            return Waits::Gone;
        };
        let still = shelf.last_call.elapsed().min(waited(shelf, at)) < IDLE_WAIT;
        match still {
            true => Waits::Still,
            false => {
                shelf.wanted = 0;
                Waits::TooLong(Box::new(shelf.ready.swap_remove(at)))
            }
        }
    }

    /// The image of runtime `name`. One that was not built yet is looked for at each call.
    fn image(&self, name: &str) -> Result<Arc<Image>, ImageError> {
        let images = || self.images.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(image) = images().get(name) {
            return Ok(Arc::clone(image));
        }
        let (manifest, lock) = self.host.images.built(name)?;
        let image = Arc::new(Image { manifest, lock });
        images().insert(name.to_owned(), Arc::clone(&image));
        Ok(image)
    }

    /// Everything that the permit says about the call.
    fn wanted(&self, permit: &Permit) -> Result<Wanted, String> {
        let grant = permit.grant();
        let (profile, limits) = (grant.profile(), grant.limits());
        let program = Program::read(permit.call()).map_err(|error| error.to_string())?;
        program.fits(limits).map_err(|error| error.to_string())?;
        let plan = plan(profile, limits.memory_bytes).map_err(|error| error.to_string())?;
        let image = self
            .image(grant.runtime())
            .map_err(|error| error.to_string())?;
        let argv = image
            .manifest
            .argv(&program.language, &program.code, &program.args);
        let argv = argv.ok_or_else(|| {
            format!(
                "runtime `{}` does not run `{}`",
                grant.runtime(),
                program.language
            )
        })?;
        let files = program
            .files
            .into_iter()
            .map(|file| container_init::WireFile {
                path: file.path,
                content: file.content,
            });
        let start = Start {
            argv,
            environment: ENVIRONMENT
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            directory: program.directory.unwrap_or_else(|| WORKSPACE.to_owned()),
            stdin: program.stdin,
            files: files.collect(),
            collect: program.collect,
            limits: inner_limits(limits),
            // Said when the container is handed out.
            egress_socket: None,
        };
        Ok(Wanted {
            shelved: limits.memory_bytes == profile.limits().memory_bytes,
            key: Key {
                profile: profile.digest(),
                name: profile.name().to_owned(),
                runtime: grant.runtime().to_owned(),
                memory_bytes: limits.memory_bytes,
            },
            plan,
            image,
            start,
        })
    }

    fn open(&self, door: &DoorPlan) -> Result<Box<dyn Door>, ContainerError> {
        let doors = self.host.doors.as_ref().ok_or(ContainerError::NoDoors)?;
        doors.open(door).map_err(ContainerError::Door)
    }

    /// Removes what no living process of this installation has made.
    async fn sweep(&self) -> Result<usize, ContainerError> {
        let swept = self.swept.get_or_try_init(|| async {
            let life = self.life().await?;
            let ours = self.docker.labelled(LABEL, &self.host.installation).await?;
            let mut removed = 0;
            for (id, labels) in &ours {
                let maker = labels.get(LABEL_LIFE).map_or("", String::as_str);
                if life.is_over(maker) {
                    self.docker.remove(id).await?;
                    life.forget(maker);
                    removed += 1;
                }
            }
            Ok(removed)
        });
        swept.await.copied()
    }

    async fn life(&self) -> Result<&Life, ContainerError> {
        let begin = || async {
            Life::begin(&self.host.lives).map_err(|source| ContainerError::Life {
                path: self.host.lives.display().to_string(),
                source,
            })
        };
        self.life.get_or_try_init(begin).await
    }

    async fn make(
        &self,
        profile: &str,
        plan: &ContainerPlan,
        image: &Image,
    ) -> Result<Made, ContainerError> {
        self.sweep().await?;
        self.remove_left().await;
        let info = DockerAbout::of(&self.docker).await?;
        let oci_runtime = info.oci(plan)?;
        let labels = HashMap::from([
            (LABEL.to_owned(), self.host.installation.clone()),
            (LABEL_LIFE.to_owned(), self.life().await?.id().to_owned()),
            (LABEL_PROFILE.to_owned(), profile.to_owned()),
        ]);
        let door = plan.door.as_ref().map(|door| self.open(door)).transpose()?;
        let made = Container::make(&self.docker, plan, &image.lock.image, labels, door);
        let container = made.await?;
        Ok(Made {
            container,
            about: ImageReceipt {
                name: image.lock.name.clone(),
                image: image.lock.image.clone(),
                init_sha256: image.lock.init_sha256.clone(),
                oci_runtime,
                docker: info.version,
            },
        })
    }
}

fn waited(shelf: &Shelf, at: usize) -> Duration {
    shelf
        .ready
        .get(at)
        .map_or(Duration::ZERO, |made| made.container.ready_at.elapsed())
}

impl DockerAbout {
    async fn of(docker: &Docker) -> Result<Self, ContainerError> {
        let info = docker.info().await?;
        let runtimes = info.runtimes.unwrap_or_default().into_iter();
        let mut oci_runtimes: Vec<(String, String)> = runtimes
            .map(|(name, runtime)| {
                let arguments = runtime.runtime_args.into_iter().flatten();
                let words = runtime.path.into_iter().chain(arguments);
                (name, words.collect::<Vec<String>>().join(" "))
            })
            .collect();
        oci_runtimes.sort();
        let cgroup_version = info.cgroup_version.map(|version| version.to_string());
        Ok(Self {
            version: info.server_version.unwrap_or_default(),
            cgroup_version: cgroup_version.unwrap_or_default(),
            oci_runtimes,
        })
    }

    /// The OCI runtime with its program and arguments, which must let a door through if the plan has
    /// one.
    fn oci(&self, plan: &ContainerPlan) -> Result<String, ContainerError> {
        let wanted = plan.oci_runtime.name();
        let found = self.oci_runtimes.iter().find(|(name, _)| name == wanted);
        let (name, line) = found.ok_or(ContainerError::NoOciRuntime(wanted))?;
        let lets_through = match plan.oci_runtime {
            OciRuntime::Runc => true,
            OciRuntime::Runsc => line.split(' ').any(|word| HOST_SOCKETS.contains(&word)),
        };
        match plan.door.is_none() || lets_through {
            true => Ok(format!("{name}: {line}")),
            false => Err(ContainerError::NoHostSockets),
        }
    }
}

/// One more that waits, for as long as this lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn receipt(
    permit: &Permit,
    runtime: ImageReceipt,
    container: ContainerFacts,
    warm: bool,
) -> Receipt {
    let grant = permit.grant();
    let layers = grant.profile().layers().required();
    Receipt::Container(Box::new(ContainerReceipt {
        profile: grant.profile().name().to_owned(),
        profile_sha256: hex(&grant.profile().digest()),
        policy_sha256: hex(&permit.policy_digest()),
        runtime,
        limits: *grant.limits(),
        layers: layers.iter().map(|layer| layer.name).collect(),
        warm,
        container,
    }))
}
