//! All calls that some rule could tell apart: one domain for each fact that a rule names, and how
//! facts depend on each other.
//!
//! ```text
//!  Space   the facts, and which stand below which
//!  Region  a domain for each fact: the box of all calls whose facts lie in it
//!  Model   one call of a region, with the world around it
//! ```
//!
//! Facts below `arguments` form a tree: below something that is no object there is nothing to be
//! found, and below an absent key everything is absent. The time and the session depend on each
//! other in [`super::world`]. All other facts are free, so a region holds a call exactly if each of
//! its domains holds a value of a kind that fits. Calls that no sandbox can run are left out,
//! because every policy denies them.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::Why;
use super::domain::{Domain, Kinds, Picked};
use super::meaning::{Meaning, Want};
use super::texts::{Ask, AskKind, Found};
use super::world;
use crate::call::ToolCall;
use crate::context::{Context, Scene, SessionPart, TimePart};
use crate::fact::{Fact, FactPath};
use crate::grant::CODE_TOOL;

/// The place of a fact in a space.
pub(super) type FactId = usize;

/// What a domain is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Fact(FactPath),
    /// The time in microseconds, by which rules expire; blocked when it is not known.
    Now,
}

/// The facts of several policies.
pub(super) struct Space {
    keys: Vec<Key>,
    ids: BTreeMap<Key, FactId>,
    tree: Node,
}

/// A place in the arguments.
struct Node {
    id: FactId,
    children: BTreeMap<String, Node>,
}

/// A box of calls.
#[derive(Clone)]
pub(super) struct Region {
    whole: Rc<Vec<Rc<Domain>>>,
    cut: BTreeMap<FactId, Rc<Domain>>,
}

/// One call in one world.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) call: ToolCall,
    pub(super) context: Context,
}

impl Model {
    pub(super) fn scene(&self) -> Scene<'_> {
        Scene {
            call: &self.call,
            context: &self.context,
        }
    }
}

/// The arguments that decide where a call runs.
pub(super) fn argument(keys: &[&str]) -> Key {
    let keys = keys.iter().map(|key| (*key).to_owned());
    Key::Fact(FactPath::Arguments(keys.collect()))
}

impl Space {
    pub(super) fn new() -> Self {
        let root = Key::Fact(FactPath::Arguments(Vec::new()));
        let mut space = Self {
            keys: vec![root.clone()],
            ids: BTreeMap::from([(root, 0)]),
            tree: Node {
                id: 0,
                children: BTreeMap::new(),
            },
        };
        space.id(&Key::Fact(FactPath::Tool));
        space.id(&Key::Fact(FactPath::Principal));
        space.id(&Key::Fact(FactPath::Session));
        for key in ["profile", "language", "code"] {
            space.id(&argument(&[key]));
        }
        for limit in ["wall_ms", "memory_bytes", "output_bytes"] {
            space.id(&argument(&["limits", limit]));
        }
        space
    }

    /// The id of a fact; a new one if it was not asked for before.
    pub(super) fn id(&mut self, key: &Key) -> FactId {
        if let Some(id) = self.ids.get(key) {
            return *id;
        }
        if let Key::Fact(FactPath::Arguments(keys)) = key {
            return self.argument_id(&keys.clone());
        }
        self.add(key.clone())
    }

    pub(super) fn find(&self, key: &Key) -> Option<FactId> {
        self.ids.get(key).copied()
    }

    fn add(&mut self, key: Key) -> FactId {
        let id = self.keys.len();
        self.keys.push(key.clone());
        self.ids.insert(key, id);
        id
    }

    /// With all places on the way to it.
    fn argument_id(&mut self, path: &[String]) -> FactId {
        for length in 1..=path.len() {
            let way = path.get(..length).unwrap_or_default();
            let key = Key::Fact(FactPath::Arguments(way.to_vec()));
            if !self.ids.contains_key(&key) {
                let id = self.add(key);
                self.tree.insert(way, id);
            }
        }
        let key = Key::Fact(FactPath::Arguments(path.to_vec()));
        self.ids.get(&key).copied().unwrap_or_default()
    }

    /// The fact of an id, in one call.
    pub(super) fn fact<'a>(&'a self, id: FactId, scene: Scene<'a>) -> Fact<'a> {
        match self.keys.get(id) {
            Some(Key::Fact(path)) => path.find(scene),
            Some(Key::Now) => scene.context.now_us.map_or(Fact::Blocked, |now_us| {
                Fact::Number(crate::condition::Num::Int(i128::from(now_us)))
            }),
            None => Fact::Blocked,
        }
    }

    /// All calls that some sandbox could run.
    pub(super) fn whole(&self) -> Region {
        let domains = self.keys.iter().map(|key| Rc::new(whole_domain(key)));
        Region {
            whole: Rc::new(domains.collect()),
            cut: BTreeMap::new(),
        }
    }

    /// A call of the region.
    pub(super) fn model(&self, region: &Region) -> Found<Model> {
        let world = match world::find(self, region) {
            Found::One(world) => world,
            Found::Nothing => return Found::Nothing,
            Found::Unsure(why) => return Found::Unsure(why),
        };
        let arguments = match self.tree.pick(region, Kinds::OBJECT) {
            Found::One(Picked::Value(value)) => value,
            Found::One(_) | Found::Nothing => return Found::Nothing,
            Found::Unsure(why) => return Found::Unsure(why),
        };
        let principal = match self.text(region, FactPath::Principal) {
            Found::One(text) => text,
            Found::Nothing => return Found::Nothing,
            Found::Unsure(why) => return Found::Unsure(why),
        };
        let tool = self.text(region, FactPath::Tool);
        if tool != Found::One(CODE_TOOL.to_owned()) {
            return tool.map(|_| ()).and_nothing();
        }
        let session = world.session.as_deref();
        match ToolCall::new(CODE_TOOL, arguments, &principal, session) {
            Ok(call) => Found::One(Model {
                call,
                context: world.context,
            }),
            Err(_) => Found::Unsure(Why::Call),
        }
    }

    fn text(&self, region: &Region, path: FactPath) -> Found<String> {
        let Some(id) = self.find(&Key::Fact(path)) else {
            return Found::Nothing;
        };
        match region.domain(id).map(|domain| domain.pick(Kinds::TEXT)) {
            Some(Found::One(Picked::Value(Value::String(text)))) => Found::One(text),
            Some(Found::Unsure(why)) => Found::Unsure(why),
            Some(_) | None => Found::Nothing,
        }
    }
}

impl Found<()> {
    /// For what is empty or unsure, and cannot be used if it is neither.
    fn and_nothing<T>(self) -> Found<T> {
        match self {
            Self::One(()) | Self::Nothing => Found::Nothing,
            Self::Unsure(why) => Found::Unsure(why),
        }
    }
}

/// What a fact can be in a call that some sandbox could run.
fn whole_domain(key: &Key) -> Domain {
    let of_ask = |kinds: Kinds, ask: Rc<Ask>| {
        let text = Domain::of(kinds.or(Kinds::TEXT));
        let meaning = Meaning {
            absent: crate::condition::Truth::True,
            blocked: crate::condition::Truth::True,
            text: super::meaning::OfTexts::Ask(ask),
            ..Meaning::of_scalars(&[])
        };
        text.cut(&meaning, Want::True)
            .unwrap_or_else(|| Domain::of(Kinds::NONE))
    };
    match key {
        Key::Now => Domain::integers(Kinds::NUMBER.or(Kinds::BLOCKED), 0, u64::MAX.into()),
        Key::Fact(FactPath::Tool) => of_ask(
            Kinds::NONE,
            Ask::one_of(std::iter::once(CODE_TOOL.to_owned())),
        ),
        Key::Fact(FactPath::Principal) => of_ask(Kinds::NONE, Ask::new(AskKind::Name)),
        Key::Fact(FactPath::Session) => of_ask(Kinds::ABSENT, Ask::new(AskKind::Name)),
        Key::Fact(FactPath::Arguments(keys)) => whole_argument(keys),
        Key::Fact(FactPath::Time(part)) => whole_time(*part, of_ask),
        Key::Fact(FactPath::SessionState(part)) => {
            let kinds = Kinds::NUMBER.or(Kinds::BLOCKED).or(Kinds::ABSENT);
            match part {
                SessionPart::Calls | SessionPart::AgeSeconds => {
                    Domain::integers(kinds, 0, u64::MAX.into())
                }
            }
        }
    }
}

/// What [`crate::grant`] takes where it looks, anything elsewhere.
fn whole_argument(keys: &[String]) -> Domain {
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let optional_text = Kinds::ABSENT.or(Kinds::TEXT).or(Kinds::LONG_TEXT);
    match keys.as_slice() {
        [] => Domain::of(Kinds::OBJECT),
        ["profile" | "code"] => Domain::of(optional_text),
        ["language"] => Domain::of(Kinds::TEXT.or(Kinds::LONG_TEXT)),
        ["limits"] => Domain::of(Kinds::ABSENT.or(Kinds::OBJECT)),
        ["limits", "wall_ms" | "memory_bytes" | "output_bytes"] => {
            Domain::integers(Kinds::ABSENT.or(Kinds::NUMBER), 1, i64::MAX.into())
        }
        ["limits", _] => Domain::of(Kinds::ABSENT),
        _ => Domain::of(Kinds::ALL),
    }
}

fn whole_time(part: TimePart, of_ask: impl Fn(Kinds, Rc<Ask>) -> Domain) -> Domain {
    let number = |low, high| Domain::integers(Kinds::NUMBER.or(Kinds::BLOCKED), low, high);
    match part {
        TimePart::UnixSeconds => number(0, world::LAST_SECOND),
        TimePart::Year => number(1970, 9999),
        TimePart::Month => number(1, 12),
        TimePart::Day => number(1, 31),
        TimePart::Hour => number(0, 23),
        TimePart::Minute => number(0, 59),
        TimePart::Weekday => of_ask(
            Kinds::BLOCKED,
            Ask::one_of(world::WEEKDAYS.iter().map(|day| (*day).to_owned())),
        ),
    }
}

impl Region {
    pub(super) fn domain(&self, id: FactId) -> Option<&Rc<Domain>> {
        self.cut.get(&id).or_else(|| self.whole.get(id))
    }

    /// The part where a question about a fact has a wanted answer; none if nothing is left.
    pub(super) fn cut(&self, id: FactId, meaning: &Meaning, want: Want) -> Option<Self> {
        let domain = self.domain(id)?.cut(meaning, want)?;
        if domain.pick(Kinds::ALL) == Found::Nothing {
            return None;
        }
        let mut region = self.clone();
        region.cut.insert(id, Rc::new(domain));
        Some(region)
    }
}

// ---- the tree of arguments --------------------------------------------------------------------

impl Node {
    /// As deep as a path, which is bounded.
    fn insert(&mut self, way: &[String], id: FactId) {
        match way {
            [] => {}
            [last] => drop(self.children.insert(
                last.clone(),
                Self {
                    id,
                    children: BTreeMap::new(),
                },
            )),
            [first, rest @ ..] => {
                if let Some(child) = self.children.get_mut(first) {
                    child.insert(rest, id);
                }
            }
        }
    }

    /// Whether everything below can be of this kind, which is absent or blocked.
    fn all_below_can(&self, region: &Region, kind: Kinds) -> bool {
        self.children.values().all(|child| {
            let can = region
                .domain(child.id)
                .is_some_and(|domain| domain.kinds().has(kind));
            can && child.all_below_can(region, kind)
        })
    }

    fn pick(&self, region: &Region, kinds: Kinds) -> Found<Picked> {
        let Some(domain) = region.domain(self.id) else {
            return Found::Nothing;
        };
        if self.children.is_empty() {
            return domain.pick(kinds);
        }
        let mut unsure = None;
        let mut try_one = |found: Found<Picked>| match found {
            Found::One(picked) => Some(Found::One(picked)),
            Found::Nothing => None,
            Found::Unsure(why) => {
                unsure = Some(why);
                None
            }
        };
        let absent = kinds.and(Kinds::ABSENT);
        if !absent.is_empty()
            && self.all_below_can(region, Kinds::ABSENT)
            && let Some(found) = try_one(domain.pick(absent))
        {
            return found;
        }
        if kinds.and(domain.kinds()).has(Kinds::OBJECT)
            && let Some(found) = try_one(self.pick_object(region))
        {
            return found;
        }
        let leaves = kinds.and(Kinds::LEAVES.or(Kinds::BLOCKED));
        if self.all_below_can(region, Kinds::BLOCKED)
            && let Some(found) = try_one(domain.pick(leaves))
        {
            return found;
        }
        unsure.map_or(Found::Nothing, Found::Unsure)
    }

    fn pick_object(&self, region: &Region) -> Found<Picked> {
        let mut map = Map::new();
        for (key, child) in &self.children {
            match child.pick(region, Kinds::ABSENT.or(Kinds::VALUES)) {
                Found::One(Picked::Value(value)) => drop(map.insert(key.clone(), value)),
                Found::One(Picked::Absent) => {}
                Found::One(Picked::Blocked) | Found::Nothing => return Found::Nothing,
                Found::Unsure(why) => return Found::Unsure(why),
            }
        }
        Found::One(Picked::Value(Value::Object(map)))
    }
}
