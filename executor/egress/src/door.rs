//! The door of one container: a Unix socket, and everything that goes out through it.
//!
//! ```text
//!  container: helper on 127.0.0.1 ──► egress.sock ──► Door ──► judged ──► the network
//! ```
//!
//! A door serves while a call is running and belongs to that call: connections end with it, and
//! between two calls nothing goes out. What is used is counted over all calls of a door. The socket
//! is removed when the door closes. Fails with [`DoorError`].

use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use policy::Inspect;
use rustls::ClientConfig;
use thiserror::Error;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::host::Authority as Place;
use crate::judge::{Caller, Judge};
use crate::limits::{Budget, Limits};
use crate::meter::{Meter, Used, spent};
use crate::names::{NameServers, Names, NoNameServers};
use crate::record::{EgressRecord, Endings, Recorder, Sink};
use crate::refusal::{Reason, Refusal};
use crate::secrets::Secrets;
use crate::serve::{Channel, serve};
use crate::tls::{Authority, TlsError, Trust, client_config};

/// The name of the socket in its directory.
pub const SOCKET: &str = "egress.sock";

/// Who may connect: whoever is in the container, whatever its user is there. The directory above
/// is the daemon's alone.
const SOCKET_MODE: u32 = 0o666;

/// How long to wait when the system takes no more connections.
const BREATH: Duration = Duration::from_millis(50);

/// Connections beyond the budget that are told so at once; others are closed without a word.
const CROWD: usize = 16;

/// How long a guest may take to read that it is refused.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a door is made with.
pub struct Settings {
    /// Who decides.
    pub judge: Arc<dyn Judge>,
    /// Where records go.
    pub sink: Arc<dyn Sink>,
    /// Sizes and waits.
    pub limits: Limits,
    /// What may be used in all.
    pub budget: Budget,
    /// Who is asked for addresses.
    pub names: NameServers,
    /// Which servers are believed.
    pub trust: Trust,
    /// Which tunnels are looked into. Those to hosts of secrets always are.
    pub inspect: Inspect,
    /// Signs for hosts that are looked into; needed for `inspect` and for secrets.
    pub authority: Option<Arc<Authority>>,
    /// What is put in at the edge.
    pub secrets: Secrets,
}

/// Why there is no door.
#[derive(Debug, Error)]
pub enum DoorError {
    /// The socket cannot be made.
    #[error("`{}`: {source}; give the daemon a directory of its own for it", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Names cannot be looked up.
    #[error(transparent)]
    Names(#[from] NoNameServers),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Something is to be looked into without a certificate authority.
    #[error(
        "TLS is to be looked into, or a secret put in, and there is no certificate authority; open one with `Authority::open`"
    )]
    NoAuthority,
}

/// What the connections of a door have in common.
pub(crate) struct Shared {
    pub(crate) judge: Arc<dyn Judge>,
    pub(crate) recorder: Recorder,
    pub(crate) limits: Limits,
    pub(crate) meter: Arc<Meter>,
    pub(crate) names: Names,
    pub(crate) client_config: Arc<ClientConfig>,
    pub(crate) authority: Option<Arc<Authority>>,
    pub(crate) secrets: Secrets,
    inspect: Inspect,
    crowd: Semaphore,
    call: Mutex<Option<Call>>,
}

/// The call that is running.
#[derive(Clone)]
struct Call {
    caller: Arc<Caller>,
    life: CancellationToken,
}

impl Shared {
    pub(crate) fn inspects(&self, place: &Place) -> bool {
        match self.inspect {
            Inspect::Everything => true,
            Inspect::Nothing => self.secrets.belong_to(place),
        }
    }

    fn call(&self) -> Option<Call> {
        let call = self.call.lock().unwrap_or_else(PoisonError::into_inner);
        call.clone()
    }
}

/// The way out of one container.
pub struct Door {
    shared: Arc<Shared>,
    socket: PathBuf,
    closing: CancellationToken,
    accepting: Option<JoinHandle<()>>,
    endings: Option<Endings>,
}

impl Door {
    /// Opens a door at [`SOCKET`] in `directory`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`DoorError`] when the socket is there already or something else that it needs is not.
    pub fn open(directory: &Path, settings: Settings) -> Result<Self, DoorError> {
        let looks_into =
            settings.inspect == Inspect::Everything || settings.secrets.placeholders().count() > 0;
        if looks_into && settings.authority.is_none() {
            return Err(DoorError::NoAuthority);
        }
        let names = Names::new(&settings.names, &settings.limits)?;
        let client_config = client_config(&settings.trust)?;
        let socket = directory.join(SOCKET);
        let listener = listen(directory).map_err(|source| DoorError::Socket {
            path: socket.clone(),
            source,
        })?;
        let (recorder, endings) = Recorder::start(settings.sink);
        let shared = Arc::new(Shared {
            judge: settings.judge,
            recorder,
            limits: settings.limits,
            meter: Arc::new(Meter::new(settings.budget)),
            names,
            client_config,
            authority: settings.authority,
            secrets: settings.secrets,
            inspect: settings.inspect,
            crowd: Semaphore::new(CROWD),
            call: Mutex::new(None),
        });
        let closing = CancellationToken::new();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared), closing.clone()));
        Ok(Self {
            shared,
            socket,
            closing,
            accepting: Some(accepting),
            endings: Some(endings),
        })
    }

    /// From now on requests are made for this call. One that was running ends.
    pub fn begin(&self, caller: Caller) {
        let call = Call {
            caller: Arc::new(caller),
            life: self.closing.child_token(),
        };
        self.replace(Some(call));
    }

    /// The call is over: its connections end, and nothing goes out until the next one.
    pub fn end(&self) {
        self.replace(None);
    }

    fn replace(&self, call: Option<Call>) {
        let mut place = self
            .shared
            .call
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = std::mem::replace(&mut *place, call) {
            before.life.cancel();
        }
    }

    /// What was used so far.
    #[must_use]
    pub fn used(&self) -> Used {
        self.shared.meter.used()
    }

    /// Names and placeholders of the secrets, for the environment of the guest.
    pub fn placeholders(&self) -> impl Iterator<Item = (&str, &str)> {
        self.shared.secrets.placeholders()
    }

    /// Ends all connections, writes the last records and removes the socket.
    pub async fn close(mut self) {
        self.end();
        self.closing.cancel();
        if let Some(accepting) = self.accepting.take() {
            // Ends by itself: it was told to, and waits for its connections, which were too.
            if accepting.await.is_err() {
                tracing::error!("a door did not close in good order");
            }
        }
        let endings = self.endings.take();
        // The last clone of the recorder goes with the door.
        drop(self);
        if let Some(endings) = endings {
            endings.finish().await;
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.closing.cancel();
        match fs::remove_file(&self.socket) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, "the socket of a door stays behind"),
        }
    }
}

/// Through a descriptor of the directory, because a socket's address has room for 107 bytes and a
/// path need not fit.
fn listen(directory: &Path) -> io::Result<UnixListener> {
    let open = fs::File::open(directory)?;
    let short = format!("/proc/self/fd/{}/{SOCKET}", open.as_raw_fd());
    let listener = UnixListener::bind(short)?;
    let socket = directory.join(SOCKET);
    fs::set_permissions(socket, fs::Permissions::from_mode(SOCKET_MODE))?;
    Ok(listener)
}

/// Takes connections until the door closes, and ends with the last of them.
async fn accept(listener: UnixListener, shared: Arc<Shared>, closing: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = closing.cancelled() => break,
            // Those that have ended are forgotten.
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, Arc::clone(&shared)));
            }
            Err(error) => {
                tracing::warn!(%error, "a door takes no connection");
                sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn connection(stream: UnixStream, shared: Arc<Shared>) {
    let Some(call) = shared.call() else {
        let refusal = Refusal::new(Reason::NoCall, "no call is running");
        return last_words(stream, &refusal).await;
    };
    let Some(permit) = shared.meter.connection() else {
        return crowded(stream, &shared, &call).await;
    };
    let total = shared.limits.total;
    let serving = serve(
        shared,
        call.caller,
        call.life.clone(),
        Channel::Proxy,
        Box::new(stream),
        Bytes::new(),
    );
    tokio::select! {
        _ = timeout(total, serving) => {}
        () = call.life.cancelled() => {}
    }
    drop(permit);
}

/// More connections at once than the budget has.
async fn crowded(stream: UnixStream, shared: &Shared, call: &Call) {
    let Ok(_place) = shared.crowd.try_acquire() else {
        return;
    };
    let (number, _) = shared.meter.request();
    let most = u64::try_from(shared.meter.budget().connections).unwrap_or(u64::MAX);
    let refusal = spent("connections", most);
    if shared.meter.is_recorded(number) {
        let record = EgressRecord::new(&call.caller, number).refused(&refusal);
        if shared.recorder.durable(record).await.is_err() {
            tracing::error!("a refusal is not recorded");
        }
    }
    last_words(stream, &refusal).await;
}

/// Answers before anything was read, and closes once the guest has: one that is still writing when
/// its connection goes would not read the answer.
async fn last_words(mut stream: UnixStream, refusal: &Refusal) {
    let words = async {
        stream.write_all(&refusal.to_answer()).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    if let Ok(Err(error)) = timeout(LAST_WORDS, words).await {
        tracing::debug!(%error, "a refusal was not heard");
    }
}
