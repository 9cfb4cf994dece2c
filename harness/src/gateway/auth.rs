//! The API token: made at the first start, kept in a file of mode 0600, wanted as
//! `Authorization: Bearer …` by everything that can run or read a call.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Gate, Problem};

/// Random bytes of a token: 256 bits.
const TOKEN_BYTES: usize = 32;

/// A token file is one line.
const MAX_FILE_BYTES: u64 = 1_024;

/// Shorter tokens could be guessed.
const MIN_TOKEN_CHARS: usize = 20;

/// The token, kept as a digest so that comparing takes the same time for all.
#[derive(Clone)]
pub struct Token(Arc<[u8; 32]>);

impl std::fmt::Debug for Token {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("Token(…)")
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Others can read it.
    #[error(
        "`{path}` has mode {mode:o}: others can read the token; chmod 600 it, or remove it and start again"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Not a token.
    #[error(
        "`{path}` holds no token of at least {MIN_TOKEN_CHARS} printable characters; remove it and start again"
    )]
    Short {
        /// The file.
        path: PathBuf,
    },
    /// No randomness.
    #[error("the kernel gives no random bytes: {0}")]
    Random(String),
}

impl Token {
    /// The token in `path`, made if there is none.
    ///
    /// # Errors
    /// When it cannot be made or read, or is not secret.
    pub fn open(path: &Path) -> Result<Self, TokenError> {
        let io = |source| TokenError::Io {
            path: path.to_owned(),
            source,
        };
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
        {
            Ok(file) => make(file).map_err(io),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path),
            Err(error) => Err(io(error)),
        }
    }

    fn of(text: &str) -> Self {
        Self(Arc::new(Sha256::digest(text.as_bytes()).into()))
    }

    fn is(&self, presented: &str) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        self.0.ct_eq(&presented).into()
    }
}

fn make(mut file: File) -> io::Result<Token> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    let text = format!("lzr_{}", executor::runtime::hex::hex(&bytes));
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    Ok(Token::of(&text))
}

fn read(path: &Path) -> Result<Token, TokenError> {
    let io = |source| TokenError::Io {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(io)?;
    let mode = file.metadata().map_err(io)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TokenError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = String::new();
    file.take(MAX_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(io)?;
    let token = text.trim();
    match token.len() >= MIN_TOKEN_CHARS && token.chars().all(|c| c.is_ascii_graphic()) {
        true => Ok(Token::of(token)),
        false => Err(TokenError::Short {
            path: path.to_owned(),
        }),
    }
}

/// Lets a request pass that bears the token.
pub(crate) async fn require(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let presented = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(bearer);
    match presented {
        Some(presented) if gate.token.is(presented) => next.run(request).await,
        Some(_) => {
            refused("the token is not this daemon's; it is in the state directory's `api-token`")
        }
        None => refused(
            "send `Authorization: Bearer TOKEN`; the token is in the state directory's `api-token`",
        ),
    }
}

/// The scheme is case-insensitive (RFC 9110, section 11.1), the token is not.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn refused(detail: &str) -> Response {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).into_response()
}
