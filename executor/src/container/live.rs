//! One container, from its making to its one program.
//!
//! The order is: make, look, compare, start, hear what it sees, compare, look again. Only then
//! does it wait for a program, and before it gets one it is looked at once more. The first thing
//! that is weaker than the plan ends it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::models::{ContainerInspectResponse, ContainerState};
use container_init::{
    EGRESS, EGRESS_SOCKET, End, Ended, InitLimits, OutputStream, Report, Said, Start, encode_frame,
};
use policy::{Limits, Permit};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant as Moment, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::cgroup::{Groups, MemoryEvents};
use super::docker::{Docker, Input};
use super::door::{Door, variables};
use super::error::ContainerError;
use super::frames::Frames;
use super::plan::ContainerPlan;
use super::verify::{ContainerSettings, HostKernel, verify_limits, verify_observed, verify_report};
use crate::outcome::{Ending, LeftOut, OutFile, Outcome, Stream, Usage};
use crate::program::check_path;
use crate::receipt::ContainerFacts;

/// A container is up in half a second; a loaded machine gets this long.
const START_WAIT: Duration = Duration::from_secs(60);

/// What the first process may take beyond the program's own time to end what it started.
const END_GRACE: Duration = Duration::from_secs(4);

/// What the files may take to come out after the program's end.
const FILES_WAIT: Duration = Duration::from_secs(30);

/// How long Docker may take to know that a container is over.
const SILENCE_LOOKS: u32 = 40;
const SILENCE_STEP: Duration = Duration::from_millis(50);

/// The kernel tells of an end of memory, and of the group's own end.
const OUT_OF_MEMORY_AND_GONE: u64 = 2;

/// Files that are told to have been left out; a guest can make thousands.
const MAX_LEFT_OUT: usize = 64;

/// The signal of the kernel's out-of-memory killer.
const SIGKILL: i32 = 9;

/// The status by which shells and Docker tell of it.
const STATUS_KILLED: u8 = 137;

/// A running container whose first process waits for a program. What waits on it holds it alone:
/// its streams may go from thread to thread, but not be shared between them.
pub(crate) struct Container {
    id: String,
    frames: Frames,
    input: Input,
    report: Arc<Report>,
    pid: u32,
    groups: Option<Groups>,
    memory_events: Option<MemoryEvents>,
    /// The way out, if its plan has one.
    pub(crate) door: Option<Box<dyn Door>>,
    /// Since when it waits.
    pub(crate) ready_at: Instant,
}

impl std::fmt::Debug for Container {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Container")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Container {
    /// Make and start one, and believe it only when it is as the plan says.
    pub(crate) async fn make(
        docker: &Docker,
        plan: &ContainerPlan,
        image: &str,
        labels: HashMap<String, String>,
        door: Option<Box<dyn Door>>,
    ) -> Result<Self, ContainerError> {
        let directory = door.as_ref().map(|door| door.directory().to_owned());
        match Self::create(docker, plan, image, labels, directory.as_deref()).await {
            Ok(container) => Ok(Self { door, ..container }),
            Err(error) => {
                shut(door).await;
                Err(error)
            }
        }
    }

    async fn create(
        docker: &Docker,
        plan: &ContainerPlan,
        image: &str,
        labels: HashMap<String, String>,
        door: Option<&Path>,
    ) -> Result<Self, ContainerError> {
        let id = docker.create(plan.body(image, labels, door)).await?;
        match Self::raise(docker, &id, plan, image, door).await {
            Ok(container) => Ok(container),
            Err(error) => {
                remove(docker, &id).await;
                Err(error)
            }
        }
    }

    async fn raise(
        docker: &Docker,
        id: &str,
        plan: &ContainerPlan,
        image: &str,
        door: Option<&Path>,
    ) -> Result<Self, ContainerError> {
        let made = docker.inspect(id).await?;
        ContainerSettings::of(&made)
            .verify(plan, image, door)
            .map_err(ContainerError::Weaker)?;
        let (output, input) = docker.attach(id).await?;
        let mut frames = Frames::new(output);
        docker.start(id).await?;
        let report = ready(&mut frames).await?;
        verify_report(&report, plan, &HostKernel::running()).map_err(ContainerError::Weaker)?;
        let pid = pid(&docker.inspect(id).await?);
        let groups = Groups::of(pid);
        Ok(Self {
            id: id.to_owned(),
            frames,
            input,
            report: Arc::new(report),
            pid,
            memory_events: groups.as_ref().and_then(Groups::memory_events),
            groups,
            door: None,
            ready_at: Instant::now(),
        })
    }

    /// Docker's id of it.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The call of `permit` begins: its door opens for it, and its program finds the way there.
    pub(crate) fn begin(&self, permit: &Permit, start: &mut Start) {
        let Some(door) = &self.door else { return };
        // What the container itself gives has the last word.
        let given = std::mem::take(&mut start.environment);
        start.environment = door.begin(permit);
        start.environment.extend(variables(door.directory()));
        start.environment.extend(given);
        start.egress_socket = Some(format!("{EGRESS}/{EGRESS_SOCKET}"));
    }

    /// Its first process, as the host numbers it.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Look at it again, now, and hold it against the plan: what it was when it was started
    /// does not count.
    pub(crate) async fn check(
        &mut self,
        docker: &Docker,
        plan: &ContainerPlan,
        image: &str,
    ) -> Result<ContainerFacts, ContainerError> {
        let seen = docker.inspect(&self.id).await?;
        let settings = ContainerSettings::of(&seen);
        let door = self.door.as_ref().map(|door| door.directory());
        settings
            .verify(plan, image, door)
            .map_err(ContainerError::Weaker)?;
        if pid(&seen) != self.pid || self.pid == 0 {
            return Err(ContainerError::Init("is gone".to_owned()));
        }
        let kernel_limits = self.groups.as_ref().map(Groups::limits);
        if let Some(limits) = &kernel_limits {
            verify_limits(limits, plan).map_err(ContainerError::Weaker)?;
        }
        // Of gVisor this is the sandbox, of runc the first process itself.
        let observed = observed(self.pid)?;
        if let Some(seen) = &observed {
            let own = jail::own().map_err(unseen)?;
            verify_observed(seen, &own, plan).map_err(ContainerError::Weaker)?;
            if kernel_limits.is_none() {
                // Whoever sees the process sees its groups, unless something is hidden.
                let why = "its control groups cannot be read back".to_owned();
                return Err(ContainerError::Weaker(why));
            }
        }
        Ok(ContainerFacts {
            id: self.id.clone(),
            settings,
            kernel_limits,
            reported: Arc::clone(&self.report),
            observed,
        })
    }

    /// Give it its program and hear it to its end. Afterwards it is of no more use.
    pub(crate) async fn call(
        &mut self,
        docker: &Docker,
        start: &Start,
        limits: &Limits,
        cancel: &CancellationToken,
        sent: impl FnOnce(),
    ) -> Outcome {
        let began = Instant::now();
        let mut heard = Heard::new(limits);
        let cpu_before = self.groups.as_ref().and_then(Groups::cpu_us);
        let listening = async {
            let wall = Duration::from_millis(limits.wall_ms);
            self.send(start).await?;
            sent();
            self.hear(&mut heard, Moment::now() + wall + END_GRACE)
                .await
        };
        let over = tokio::select! {
            over = listening => over,
            () = cancel.cancelled() => Ok(Some(Ending::Cancelled)),
        };
        let ending = match over {
            Ok(Some(ending)) => ending,
            Ok(None) => self.ending(docker, &heard).await,
            Err(error) => match self.ending(docker, &heard).await {
                // Nothing is known of its end but that it cannot be heard any more.
                Ending::Killed(_) => Ending::Killed(error.to_string()),
                known => known,
            },
        };
        let usage = self.usage(&heard, cpu_before, began.elapsed());
        heard.outcome(ending, usage)
    }

    async fn send(&mut self, start: &Start) -> Result<(), ContainerError> {
        let broken = ContainerError::io("sending the program");
        let frame = encode_frame(start).map_err(&broken)?;
        self.input.write_all(&frame).await.map_err(&broken)?;
        self.input.flush().await.map_err(broken)
    }

    /// Hear it until it is done, gone, or late. An ending is given when it is certain already.
    async fn hear(
        &mut self,
        heard: &mut Heard,
        deadline: Moment,
    ) -> Result<Option<Ending>, ContainerError> {
        let mut deadline = deadline;
        loop {
            let said = match timeout_at(deadline, self.frames.next()).await {
                Ok(said) => said?,
                Err(_late) if heard.ended.is_some() => return Ok(None),
                Err(_late) => return Ok(Some(Ending::TimedOut)),
            };
            match said {
                None | Some(Said::Done) => return Ok(None),
                Some(said @ Said::Ended(_)) => {
                    deadline = Moment::now() + FILES_WAIT;
                    heard.take(said);
                }
                Some(said) => heard.take(said),
            }
        }
    }

    /// How it ended, by what it said and what the kernel and Docker say.
    async fn ending(&mut self, docker: &Docker, heard: &Heard) -> Ending {
        let killed_for_memory = self.ran_out_of_memory();
        match heard.ended.as_ref().map(|ended| &ended.end) {
            Some(End::Exited(STATUS_KILLED)) | Some(End::Signalled(SIGKILL))
                if killed_for_memory =>
            {
                Ending::OutOfMemory
            }
            Some(End::Exited(status)) => Ending::Exited(*status),
            Some(End::Signalled(signal)) => Ending::Killed(format!("it died of signal {signal}")),
            Some(End::TimedOut) => Ending::TimedOut,
            Some(End::NotStarted(why)) => Ending::LaunchFailed(super::line(why)),
            None if killed_for_memory => Ending::OutOfMemory,
            None => self.silence(docker).await,
        }
    }

    /// It ended without a word: only the kernel and Docker can say why, once they know.
    async fn silence(&mut self, docker: &Docker) -> Ending {
        let mut state = ContainerState::default();
        for _ in 0..SILENCE_LOOKS {
            if self.ran_out_of_memory() {
                return Ending::OutOfMemory;
            }
            match docker.inspect(&self.id).await {
                Ok(seen) => state = seen.state.unwrap_or_default(),
                Err(gone) => {
                    return Ending::Killed(format!("it cannot be heard any more: {gone}"));
                }
            }
            // Docker may hear of the memory a moment after the end.
            let may_be_memory =
                state.exit_code == Some(i64::from(STATUS_KILLED)) && state.oom_killed != Some(true);
            if state.running == Some(false) && !may_be_memory {
                break;
            }
            tokio::time::sleep(SILENCE_STEP).await;
        }
        if state.oom_killed == Some(true) {
            return Ending::OutOfMemory;
        }
        let status = state.exit_code.unwrap_or_default();
        let complaint = self.frames.complaint();
        Ending::Killed(match complaint.is_empty() {
            true => format!("the container ended with status {status}"),
            false => format!("the container ended with status {status}: {complaint}"),
        })
    }

    /// Whether the kernel ended a process for its memory: it counts that, and it told of it where
    /// the group is gone by now.
    fn ran_out_of_memory(&mut self) -> bool {
        let counted = self
            .groups
            .as_ref()
            .is_some_and(|groups| groups.out_of_memory() > 0);
        let events = self.memory_events.as_mut();
        counted || events.is_some_and(|events| events.told() >= OUT_OF_MEMORY_AND_GONE)
    }

    fn usage(&self, heard: &Heard, cpu_before: Option<u64>, took: Duration) -> Usage {
        let ended = heard.ended.as_ref();
        let cpu = self
            .groups
            .as_ref()
            .and_then(Groups::cpu_us)
            .zip(cpu_before);
        let peak = self.groups.as_ref().and_then(Groups::memory_peak_bytes);
        Usage {
            wall_us: ended.map_or(micros(took), |ended| ended.wall_us),
            cpu_us: match cpu {
                Some((after, before)) => after.saturating_sub(before),
                None => ended.map_or(0, |ended| ended.cpu_us),
            },
            memory_peak_bytes: peak
                .unwrap_or_else(|| ended.map_or(0, |ended| ended.memory_peak_bytes)),
        }
    }
}

/// What the kernel says of a process, to a daemon that may ask: one that is not root may not
/// look at root's processes, and its receipt shows no observation. Anything else that keeps it
/// from looking ends the container.
fn observed(pid: u32) -> Result<Option<jail::Observed>, ContainerError> {
    match jail::observe(pid) {
        Ok(seen) => Ok(Some(seen)),
        Err(jail::ObserveError::Read { source, .. })
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Ok(None)
        }
        Err(error) => Err(unseen(error)),
    }
}

fn unseen(error: jail::ObserveError) -> ContainerError {
    ContainerError::Weaker(format!("it cannot be looked at: {error}"))
}

/// The limits that are kept inside.
pub(crate) fn inner_limits(limits: &Limits) -> InitLimits {
    InitLimits {
        wall_ms: limits.wall_ms,
        output_bytes: limits.output_bytes,
        file_bytes: limits.file_bytes,
        file_count: limits.file_count,
    }
}

/// Close a door, if there is one: the last record of its requests is written then.
pub(crate) async fn shut(door: Option<Box<dyn Door>>) {
    if let Some(door) = door {
        door.close().await;
    }
}

/// Remove it. One that cannot be removed is told of, and found again at the next start.
async fn remove(docker: &Docker, id: &str) {
    if let Err(error) = docker.remove(id).await {
        tracing::warn!(%error, container = id, "a container could not be removed");
    }
}

/// The first frame.
async fn ready(frames: &mut Frames) -> Result<Report, ContainerError> {
    match timeout(START_WAIT, frames.next()).await {
        Ok(Ok(Some(Said::Ready(report)))) => Ok(report),
        Ok(Ok(Some(_other))) => Err(ContainerError::Init("said something else first".to_owned())),
        Ok(Ok(None)) => Err(ContainerError::Init(format!(
            "ended at once: {}",
            frames.complaint()
        ))),
        Ok(Err(error)) => Err(error),
        Err(_late) => Err(ContainerError::Init("did not report in time".to_owned())),
    }
}

/// The first process by the host's number; 0 when it does not run.
fn pid(seen: &ContainerInspectResponse) -> u32 {
    let pid = seen.state.as_ref().and_then(|state| state.pid);
    pid.and_then(|pid| u32::try_from(pid).ok())
        .unwrap_or_default()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What a container said, held against the limits: it may be the guest who speaks.
struct Heard {
    limits: Limits,
    stdout: Stream,
    stderr: Stream,
    files: Vec<OutFile>,
    left_out: Vec<LeftOut>,
    room_bytes: u64,
    ended: Option<Ended>,
}

impl Heard {
    fn new(limits: &Limits) -> Self {
        Self {
            limits: *limits,
            stdout: Stream::default(),
            stderr: Stream::default(),
            files: Vec::new(),
            left_out: Vec::new(),
            room_bytes: limits.file_bytes,
            ended: None,
        }
    }

    fn take(&mut self, said: Said) {
        match said {
            Said::Output { stream, bytes } => self.output(stream, &bytes),
            Said::Truncated(stream) => self.stream(stream).truncated = true,
            // What counts is said once.
            Said::Ended(ended) => {
                self.ended.get_or_insert(ended);
            }
            Said::File(file) => self.file(file.path, file.content),
            Said::LeftOut { path, reason } => self.leave_out(&path, &reason),
            Said::Ready(_) | Said::Done => {}
        }
    }

    fn stream(&mut self, stream: OutputStream) -> &mut Stream {
        match stream {
            OutputStream::Out => &mut self.stdout,
            OutputStream::Err => &mut self.stderr,
        }
    }

    fn output(&mut self, stream: OutputStream, bytes: &[u8]) {
        let limit = usize::try_from(self.limits.output_bytes).unwrap_or(usize::MAX);
        let to = self.stream(stream);
        let room = limit.saturating_sub(to.bytes.len());
        to.truncated |= bytes.len() > room;
        to.bytes.extend(bytes.iter().take(room));
    }

    fn file(&mut self, path: String, content: Vec<u8>) {
        let room = self.room_bytes.checked_sub(content.len() as u64);
        let twice = self.files.iter().any(|file| file.path == path);
        match (check_path(&path), room) {
            (Err(error), _) => self.leave_out(&path, &error.to_string()),
            (Ok(()), _) if twice => self.leave_out(&path, "came twice"),
            (Ok(()), None) => self.leave_out(&path, "over the limit of file bytes"),
            (Ok(()), Some(_)) if self.files.len() as u64 >= self.limits.file_count => {
                self.leave_out(&path, "over the limit of files");
            }
            (Ok(()), Some(room)) => {
                self.room_bytes = room;
                self.files.push(OutFile { path, content });
            }
        }
    }

    fn leave_out(&mut self, path: &str, reason: &str) {
        if self.left_out.len() < MAX_LEFT_OUT {
            self.left_out.push(LeftOut {
                path: super::line(path),
                reason: super::line(reason),
            });
        }
    }

    fn outcome(self, ending: Ending, usage: Usage) -> Outcome {
        Outcome {
            ending,
            stdout: self.stdout,
            stderr: self.stderr,
            files: self.files,
            left_out: self.left_out,
            usage,
            receipt: None,
        }
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use container_init::WireFile;

    use super::*;

    const LIMITS: Limits = Limits {
        wall_ms: 1,
        memory_bytes: 1,
        output_bytes: 4,
        file_bytes: 4,
        file_count: 2,
        stdin_bytes: 1,
        code_bytes: 1,
    };

    fn heard(said: impl IntoIterator<Item = Said>) -> Heard {
        let mut heard = Heard::new(&LIMITS);
        said.into_iter().for_each(|said| heard.take(said));
        heard
    }

    fn file(path: &str, content: &[u8]) -> Said {
        Said::File(WireFile {
            path: path.to_owned(),
            content: content.to_vec(),
        })
    }

    #[test]
    fn a_flood_is_cut_whatever_the_container_says_of_it() {
        let bytes = b"123456".to_vec();
        let heard = heard([Said::Output {
            stream: OutputStream::Out,
            bytes,
        }]);
        assert_eq!(heard.stdout.bytes, b"1234");
        assert!(heard.stdout.truncated && !heard.stderr.truncated);
    }

    #[test]
    fn hostile_files_stay_outside() {
        let heard = heard([
            file("/etc/passwd", b"1"),
            file("../a", b"1"),
            file("a/../../b", b"1"),
            file("big", b"12345"),
            file("a", b"1"),
            file("a", b"2"),
            file("b", b"1"),
            file("c", b"1"),
        ]);
        let paths: Vec<&str> = heard.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a", "b"]);
        assert_eq!(heard.left_out.len(), 6);
        assert_eq!(heard.files[0].content, b"1");
    }

    #[test]
    fn the_end_is_said_once() {
        let ended = |end| {
            Said::Ended(Ended {
                end,
                wall_us: 0,
                cpu_us: 0,
                memory_peak_bytes: 0,
            })
        };
        let heard = heard([ended(End::Exited(1)), ended(End::Exited(0))]);
        assert_eq!(heard.ended.map(|ended| ended.end), Some(End::Exited(1)));
    }
}
