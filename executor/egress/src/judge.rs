//! Asks the policy, for every request anew.
//!
//! ```text
//!  Question {protocol, method, authority, target} ──► tool call `http_request` ──► policy::decide
//! ```
//!
//! Three things must be *named* by a rule, a rule for everything is not enough: a WebSocket, raw
//! bytes, and an address outside of the open network. Whether one is named is seen by asking twice,
//! the second time with a word or an address that nobody can have meant: a rule that allows the
//! first and has nothing to say to the second names it. A request counts once as a call of its
//! session, whatever the number of questions. Whatever goes wrong is a denial.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use policy::texts::hosts::{AddressKind, address_kind};
use policy::{
    CallId, Context, Decision, Policy, REQUEST_TOOL, RuleHit, ToolCall, Verdict, decide_at,
};
use serde_json::{Map, Value, json};

use crate::host::{Authority, Host};
use crate::refusal::{Reason, Refusal};
use crate::target::Target;

/// A word for a protocol that there is none of: a rule that takes effect on it names none.
const NO_PROTOCOL: &str = "none";

/// For whom requests are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The call that they belong to.
    pub call_id: CallId,
    /// Who asked for the call.
    pub principal: String,
    /// The call's session.
    pub session: Option<String>,
}

/// What a request speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP in clear.
    Http,
    /// HTTP in TLS that the proxy looks into.
    Https,
    /// A tunnel; what is in it is known by its server name alone.
    Connect,
    /// A WebSocket, in clear or in TLS that the proxy looks into.
    WebSocket,
    /// A tunnel for bytes that nobody reads.
    Raw,
}

impl Protocol {
    /// The word in rules and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Connect => "connect",
            Self::WebSocket => "websocket",
            Self::Raw => "raw",
        }
    }

    fn must_be_named(self) -> bool {
        match self {
            Self::WebSocket | Self::Raw => true,
            Self::Http | Self::Https | Self::Connect => false,
        }
    }
}

/// The scheme of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In clear.
    Http,
    /// In TLS.
    Https,
}

impl Scheme {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    pub(crate) fn usual_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// One request, as it is judged.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    pub(crate) protocol: Protocol,
    pub(crate) scheme: Scheme,
    pub(crate) method: &'a str,
    pub(crate) authority: &'a Authority,
    /// Not known in a tunnel.
    pub(crate) target: Option<&'a Target>,
    /// The addresses of the name, once they are known.
    pub(crate) addresses: &'a [IpAddr],
}

impl Question<'_> {
    /// The arguments of the tool call.
    fn arguments(&self, profile: &str, protocol: &str, host: &Host) -> Value {
        let port = self.authority.port;
        let target = self.target.map(Target::to_origin_form);
        let url = format!(
            "{}://{host}:{port}{}",
            self.scheme.as_str(),
            target.as_deref().unwrap_or("/"),
        );
        let mut arguments = Map::new();
        let mut put = |key: &str, value: Value| arguments.insert(key.to_owned(), value);
        put("profile", profile.into());
        put("url", url.into());
        put("protocol", protocol.into());
        put("scheme", self.scheme.as_str().into());
        put("method", self.method.into());
        put("host", host.to_string().into());
        put("port", port.into());
        if let Some(target) = self.target {
            put("path", target.path.as_str().into());
            put("query", json!(target.query));
        }
        if !self.addresses.is_empty() {
            let texts = self.addresses.iter().map(ToString::to_string);
            put("addresses", texts.collect::<Vec<_>>().into());
        }
        Value::Object(arguments)
    }
}

/// Whether a question is entered into the state of its session, as a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// It is asked to know, and asked again before anything goes out.
    No,
    /// It is the last one before the request goes out.
    Yes,
    /// It is about an address of a host that was asked for by name: the name has the budgets.
    OfName,
}

/// Which policy decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuledBy {
    /// SHA-256 of the policy.
    pub digest: [u8; 32],
    /// Which policy of the daemon's life it was, from 1.
    pub generation: u64,
}

/// What the policy says to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The rules that took effect.
    pub rules: Vec<String>,
    /// Why, in the policy's words.
    pub why: String,
    /// Which policy said so; none where no policy did.
    pub ruled_by: Option<RuledBy>,
}

/// Who decides whether a request goes out.
pub trait Judge: Send + Sync {
    /// Whether the policy allows the request to the host that it names.
    ///
    /// # Errors
    /// The refusal, when it does not.
    fn judge(
        &self,
        caller: &Caller,
        question: &Question<'_>,
        counts: Counts,
    ) -> Result<Answer, Refusal>;

    /// Whether the request may reach this address. One of the open network always; any other if a
    /// rule names it.
    ///
    /// # Errors
    /// The refusal, when it may not.
    fn reaches(
        &self,
        caller: &Caller,
        question: &Question<'_>,
        address: IpAddr,
    ) -> Result<(), Refusal>;
}

/// A decision, and which policy of the daemon's life made it.
pub struct Ruling {
    /// What was decided.
    pub decision: Decision,
    /// From 1.
    pub generation: u64,
}

/// The policy in force, with what it may know of the world, at this moment.
pub trait Rules: Send + Sync {
    /// Decides on a call of [`REQUEST_TOOL`] that belongs to the call `call_id`.
    ///
    /// # Errors
    /// Why nothing is judged now.
    fn decide(&self, call_id: CallId, call: ToolCall, counts: Counts) -> Result<Ruling, String>;
}

/// A policy that nothing follows, in a world of which nothing is known.
impl Rules for Policy {
    fn decide(&self, call_id: CallId, call: ToolCall, _: Counts) -> Result<Ruling, String> {
        Ok(Ruling {
            decision: decide_at(self, &Context::default(), call_id, call),
            generation: 1,
        })
    }
}

/// The one judge: the policy.
pub struct PolicyJudge {
    rules: Arc<dyn Rules>,
    profile: String,
}

impl PolicyJudge {
    /// A judge for containers of a profile: an allow for another profile allows nothing here.
    /// `rules` are asked for every request.
    pub fn new(profile: &str, rules: Arc<dyn Rules>) -> Self {
        Self {
            rules,
            profile: profile.to_owned(),
        }
    }

    fn decide(&self, caller: &Caller, arguments: Value, counts: Counts) -> Result<Ruling, Refusal> {
        let unjudged = |why: String| {
            let detail = format!("the request cannot be judged: {why}");
            Refusal::new(Reason::Denied, detail)
        };
        let call = ToolCall::new(
            REQUEST_TOOL,
            arguments,
            &caller.principal,
            caller.session.as_deref(),
        )
        .map_err(|error| unjudged(error.to_string()))?;
        let ruling = self.rules.decide(caller.call_id, call, counts);
        ruling.map_err(unjudged)
    }

    /// Whether a rule that allows the call takes no effect on the other one.
    fn names(&self, caller: &Caller, decision: &Decision, other: Value) -> bool {
        let Ok(other) = self.decide(caller, other, Counts::OfName) else {
            return false;
        };
        let allows = |hit: &&RuleHit| hit.effect() == Verdict::Allow;
        let elsewhere = rule_ids(&other.decision);
        decision
            .rules()
            .iter()
            .filter(allows)
            .any(|hit| !elsewhere.iter().any(|id| id == hit.id()))
    }
}

impl Judge for PolicyJudge {
    fn judge(
        &self,
        caller: &Caller,
        question: &Question<'_>,
        counts: Counts,
    ) -> Result<Answer, Refusal> {
        let host = &question.authority.host;
        let protocol = question.protocol.as_str();
        let ask = |protocol| question.arguments(&self.profile, protocol, host);
        let ruling = self.decide(caller, ask(protocol), counts)?;
        let answer = heard(&ruling, question)?;
        let must_be_named = question.protocol.must_be_named();
        if must_be_named && !self.names(caller, &ruling.decision, ask(NO_PROTOCOL)) {
            return Err(not_named(question));
        }
        Ok(answer)
    }

    fn reaches(
        &self,
        caller: &Caller,
        question: &Question<'_>,
        address: IpAddr,
    ) -> Result<(), Refusal> {
        let kind = address_kind(address);
        if kind == AddressKind::Global {
            return Ok(());
        }
        let protocol = question.protocol.as_str();
        let ask = |address| question.arguments(&self.profile, protocol, &Host::Address(address));
        let ruling = self.decide(caller, ask(address), Counts::OfName)?;
        if ruling.decision.verdict() != Verdict::Allow {
            return Err(out_of_reach(question, address, kind).with(&ruling));
        }
        if !self.names(caller, &ruling.decision, ask(elsewhere(address, kind))) {
            return Err(out_of_reach(question, address, kind));
        }
        Ok(())
    }
}

/// An address of the same family and another kind, that no rule can have meant: for examples in
/// texts, or set aside.
fn elsewhere(address: IpAddr, kind: AddressKind) -> IpAddr {
    let example = kind != AddressKind::Documentation;
    match address.to_canonical() {
        IpAddr::V4(_) if example => Ipv4Addr::new(192, 0, 2, 113).into(),
        IpAddr::V4(_) => Ipv4Addr::new(240, 0, 0, 113).into(),
        IpAddr::V6(_) if example => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x71).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0x71).into(),
    }
}

fn heard(ruling: &Ruling, question: &Question<'_>) -> Result<Answer, Refusal> {
    let decision = &ruling.decision;
    let reason = match decision.verdict() {
        Verdict::Allow => {
            return Ok(Answer {
                rules: rule_ids(decision),
                why: decision.reason().to_owned(),
                ruled_by: Some(ruling.by()),
            });
        }
        Verdict::Hold => Reason::Held,
        Verdict::Deny => Reason::Denied,
    };
    let detail = format!(
        "{} {} is not allowed: {}",
        question.method,
        question.authority,
        decision.reason()
    );
    let next_step = format!(
        "to allow it, add a rule for the tool `{REQUEST_TOOL}` with `host.name` = `{}`; see docs/EGRESS.md",
        question.authority.host
    );
    Err(Refusal::new(reason, detail).or(next_step).with(ruling))
}

impl Ruling {
    fn by(&self) -> RuledBy {
        RuledBy {
            digest: self.decision.policy_digest(),
            generation: self.generation,
        }
    }
}

fn rule_ids(decision: &Decision) -> Vec<String> {
    let ids = decision.rules().iter().map(|rule| rule.id().to_owned());
    ids.collect()
}

impl Refusal {
    fn with(mut self, ruling: &Ruling) -> Self {
        self.rules = rule_ids(&ruling.decision);
        self.ruled_by = Some(Box::new(ruling.by()));
        self.next_steps
            .extend(ruling.decision.next_steps().iter().cloned());
        self
    }
}

fn not_named(question: &Question<'_>) -> Refusal {
    let reason = match question.protocol {
        Protocol::WebSocket => Reason::Upgrade,
        Protocol::Raw | Protocol::Http | Protocol::Https | Protocol::Connect => Reason::NotTls,
    };
    let protocol = question.protocol.as_str();
    Refusal::new(
        reason,
        format!(
            "no rule names the protocol `{protocol}` for {}",
            question.authority
        ),
    )
    .or(format!(
        "to allow it, add `\"arguments.protocol\" = \"{protocol}\"` to a rule for this host"
    ))
}

fn out_of_reach(question: &Question<'_>, address: IpAddr, kind: AddressKind) -> Refusal {
    let asked = &question.authority.host;
    let kind = kind.as_str();
    let detail = match asked {
        Host::Name(name) => {
            format!("`{name}` is at {address}, a {kind} address that no rule names")
        }
        Host::Address(_) => format!("{address} is a {kind} address that no rule names"),
    };
    Refusal::new(Reason::Address, detail).or(format!(
        "to allow it, add a rule for the tool `{REQUEST_TOOL}` with `host.address` = {{ cidr = \"{address}\" }}"
    ))
}
