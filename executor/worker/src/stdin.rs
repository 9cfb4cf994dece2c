//! Standard input that exists before its content is known.

use std::sync::{Arc, OnceLock};

use tokio::io::AsyncRead;
use wasmtime_wasi::cli::{IsTerminal, StdinStream};
use wasmtime_wasi::p2::InputStream;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;

/// A pipe that is filled once, before the guest first looks.
#[derive(Clone, Default)]
pub(crate) struct LateStdin(Arc<OnceLock<MemoryInputPipe>>);

impl LateStdin {
    /// Give it its content. A second filling is ignored: there is one call.
    pub(crate) fn fill(&self, bytes: Vec<u8>) {
        self.0.get_or_init(|| MemoryInputPipe::new(bytes));
    }

    fn pipe(&self) -> MemoryInputPipe {
        self.0
            .get()
            .cloned()
            .unwrap_or_else(|| MemoryInputPipe::new(Vec::new()))
    }
}

impl IsTerminal for LateStdin {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for LateStdin {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(self.pipe())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.pipe())
    }
}
