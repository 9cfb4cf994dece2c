//! What the probe's two sides say to each other: JSON, one line each way.

use std::fmt;
use std::path::PathBuf;

use jail::{Plan, Report};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

/// Asks the inside to confine itself and do one act.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) plan: Plan,
    pub(crate) act: String,
    pub(crate) on: Runner,
    pub(crate) place: Place,
}

impl Request {
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            plan,
            act: String::new(),
            on: Runner::First,
            place: Place::default(),
        }
    }
}

/// The thread that does the act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Runner {
    /// The one that seals.
    First,
    /// One that was started before the process was sealed.
    Helper,
}

/// What an act aims at.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// The process in the daemon's place.
    pub(crate) daemon: i32,
    /// An address in its memory that can be read.
    pub(crate) address: u64,
    /// A file of the host that the act may read, change or remove.
    pub(crate) canary: PathBuf,
    /// A directory that belongs to the act.
    pub(crate) workspace: PathBuf,
    /// A TCP port of the loopback address that somebody listens on.
    pub(crate) port: u16,
    /// An abstract socket that somebody listens on.
    pub(crate) socket: String,
}

/// Tells the inside to begin with the act, once the daemon has looked at it.
pub(crate) const GO: u8 = b'\n';

/// What the inside answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Answer {
    /// It is confined, and the four steps took so many microseconds.
    Ready(Box<Report>, [u64; 4]),
    /// It is not, and ends.
    Failed(String),
    /// The act worked.
    Ok,
    /// The act failed with this errno.
    Refused(i32),
}

/// How an act ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    Refused(i32),
    Killed(i32),
}

impl From<Result<(), Errno>> for Outcome {
    fn from(result: Result<(), Errno>) -> Self {
        result.map_or_else(|errno| Self::Refused(errno as i32), |()| Self::Ok)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => write!(f, "ok"),
            Self::Refused(errno) => write!(f, "refused {:?}", Errno::from_raw(*errno)),
            Self::Killed(signal) => match nix::sys::signal::Signal::try_from(*signal) {
                Ok(signal) => write!(f, "killed {signal}"),
                Err(_) => write!(f, "killed {signal}"),
            },
        }
    }
}
