//! Bodies on their way: counted, timed, searched. Trailers are dropped.

use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::exchange::Exchange;
use crate::limits::Limits;
use crate::meter::Way;
use crate::refusal::{Reason, Refusal};
use crate::scrub::{Detector, Scrubber};

/// A body of whatever kind.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A body that is there as a whole.
pub(crate) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// What is done to the bytes of a body.
pub(crate) enum Filter {
    /// They are handed on.
    Pass,
    /// A placeholder among them ends the exchange.
    Detect(Detector),
    /// Secrets among them are replaced.
    Scrub(Box<Scrubber>),
}

/// A body of which each byte is counted.
pub(crate) struct Metered {
    inner: Incoming,
    way: Way,
    filter: Filter,
    exchange: Arc<Exchange>,
    left_bytes: u64,
    idle: Pin<Box<Sleep>>,
    limits: Limits,
    is_over: bool,
}

impl Metered {
    pub(crate) fn body(
        inner: Incoming,
        way: Way,
        filter: Filter,
        exchange: Arc<Exchange>,
        limits: Limits,
    ) -> Body {
        let left_bytes = match way {
            Way::Out => limits.body_bytes,
            Way::In => u64::MAX,
        };
        let body = Self {
            inner,
            way,
            filter,
            exchange,
            left_bytes,
            idle: Box::pin(sleep(limits.idle)),
            limits,
            is_over: false,
        };
        body.boxed_unsync()
    }

    fn cut(&self, reason: Reason, detail: &str) -> io::Error {
        self.exchange.cut(&Refusal::new(reason, detail))
    }

    /// The sender is at fault, and the exchange says so.
    fn broken(&self, error: &hyper::Error) -> io::Error {
        let inner = error.source().and_then(|e| e.downcast_ref::<io::Error>());
        let late = inner.is_some_and(|e| e.kind() == io::ErrorKind::TimedOut);
        match self.way {
            Way::Out if late => self.cut(Reason::Slow, "the body did not come within its limit"),
            Way::Out => self.cut(Reason::Malformed, "the body is not as its head says"),
            Way::In => self.cut(Reason::BadAnswer, "the server's answer broke off"),
        }
    }

    fn pass(&mut self, bytes: Bytes) -> io::Result<Bytes> {
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.left_bytes = self
            .left_bytes
            .checked_sub(count)
            .ok_or_else(|| self.cut(Reason::TooLarge, "the body is over its limit"))?;
        self.exchange.count(self.way, bytes.len())?;
        let found = match &mut self.filter {
            Filter::Pass => false,
            Filter::Scrub(scrubber) => return Ok(scrubber.feed(&bytes)),
            Filter::Detect(detector) => detector.finds(&bytes),
        };
        if found {
            return Err(self.cut(
                Reason::Secret,
                "the placeholder of a secret stands in a body, where it does not belong",
            ));
        }
        Ok(bytes)
    }

    fn rest(&mut self) -> Option<Bytes> {
        self.is_over = true;
        match &mut self.filter {
            Filter::Pass | Filter::Detect(_) => None,
            Filter::Scrub(scrubber) => Some(scrubber.finish()).filter(|rest| !rest.is_empty()),
        }
    }
}

impl HttpBody for Metered {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        loop {
            if this.is_over {
                return Poll::Ready(None);
            }
            let frame = match Pin::new(&mut this.inner).poll_frame(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(Future::poll(this.idle.as_mut(), context));
                    let slow = this.cut(Reason::Slow, "nothing came within the limit");
                    return Poll::Ready(Some(Err(slow)));
                }
            };
            this.idle.as_mut().reset(Instant::now() + this.limits.idle);
            match frame {
                None => return Poll::Ready(this.rest().map(|rest| Ok(Frame::data(rest)))),
                Some(Err(error)) => return Poll::Ready(Some(Err(this.broken(&error)))),
                Some(Ok(frame)) => {
                    let Ok(bytes) = frame.into_data() else {
                        continue;
                    };
                    match this.pass(bytes) {
                        Ok(bytes) if bytes.is_empty() => {}
                        passed => return Poll::Ready(Some(passed.map(Frame::data))),
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || (!matches!(self.filter, Filter::Scrub(_)) && self.inner.is_end_stream())
    }

    /// Scrubbing changes the length.
    fn size_hint(&self) -> SizeHint {
        match self.filter {
            Filter::Pass | Filter::Detect(_) => self.inner.size_hint(),
            Filter::Scrub(_) => SizeHint::default(),
        }
    }
}
