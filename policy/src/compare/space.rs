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
use super::meaning::{Meaning, OfTexts, Want};
use super::texts::{Ask, AskKind, Found};
use super::world;
use crate::budget::Used;
use crate::call::ToolCall;
use crate::condition::Truth;
use crate::context::{Context, Scene, SessionPart, TimePart};
use crate::fact::{Fact, FactPath, of_field};
use crate::facts::{Facts, Field, FieldType, Kind, Reading};
use crate::grant::CODE_TOOL;
use crate::policy::Policy;
use crate::rule::Rule;
use crate::tool::Role;

/// The place of a fact in a space.
pub(super) type FactId = usize;

/// What a domain is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Fact(FactPath),
    /// The time in microseconds, by which rules expire; blocked when it is not known.
    Now,
    /// An atom of a kind: an object, or absent.
    Atom(Kind),
}

/// The facts of several policies.
pub(super) struct Space {
    /// The tools that some profile runs, and what their arguments are.
    tools: BTreeMap<String, Vec<Role>>,
    /// The ids of all budgets: a witness has used nothing of them.
    budgets: Vec<String>,
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

/// One call in one world, and what would be read out of it. The call itself need not have these
/// facts: see [`super::realise`].
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Model {
    pub(super) call: ToolCall,
    pub(super) facts: Facts,
    pub(super) context: Context,
}

impl Model {
    pub(super) fn scene(&self) -> Scene<'_> {
        Scene::new(&self.call, &self.facts, &self.context)
    }
}

/// The arguments that decide where a call runs.
pub(super) fn argument(keys: &[&str]) -> Key {
    let keys = keys.iter().map(|key| (*key).to_owned());
    Key::Fact(FactPath::Arguments(keys.collect()))
}

impl Space {
    /// The space of what these policies can run.
    pub(super) fn new(policies: &[&Policy]) -> Self {
        let runs = policies
            .iter()
            .flat_map(|policy| policy.rules().filter_map(Rule::run));
        let tools = runs.flat_map(|profile| profile.tools().map(|(tool, _)| tool.to_owned()));
        let tools = tools.chain(std::iter::once(CODE_TOOL.to_owned()));
        let roles = |tool: &str| -> Vec<Role> {
            let known = policies
                .iter()
                .filter_map(|policy| policy.tools().get(tool));
            known
                .flat_map(|tool| tool.roles().map(|(_, role)| role))
                .collect()
        };
        let budgets = policies.iter().flat_map(|policy| policy.budgets());
        let root = Key::Fact(FactPath::Arguments(Vec::new()));
        let mut space = Self {
            tools: tools.map(|tool| (tool.clone(), roles(&tool))).collect(),
            budgets: budgets.map(|budget| budget.id().to_owned()).collect(),
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

    /// The tools that take an argument of one of these roles.
    pub(super) fn tools_with(&self, wanted: &[Role]) -> Vec<String> {
        let takes = |roles: &Vec<Role>| roles.iter().any(|role| wanted.contains(role));
        let tools = self.tools.iter().filter(|(_, roles)| takes(roles));
        tools.map(|(tool, _)| tool.clone()).collect()
    }

    /// The parts of the session's state that rules name.
    pub(super) fn session_parts(&self) -> Vec<(SessionPart, FactId)> {
        let parts = self
            .keys
            .iter()
            .enumerate()
            .filter_map(|(id, key)| match key {
                Key::Fact(FactPath::SessionState(part)) => Some((part.clone(), id)),
                Key::Fact(_) | Key::Now | Key::Atom(_) => None,
            });
        parts.collect()
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
            Some(Key::Fact(FactPath::Atom(kind, field))) => {
                let atom = scene.facts.atoms(*kind).first();
                let find = |atom| FactPath::Atom(*kind, field).find(scene.at(*kind, atom));
                atom.map_or(Fact::Blocked, find)
            }
            Some(Key::Fact(path)) => path.find(scene),
            Some(Key::Atom(kind)) => of_field(scene.facts.atoms(*kind).first()),
            Some(Key::Now) => scene.context.now_us.map_or(Fact::Blocked, |now_us| {
                Fact::Number(crate::condition::Num::Int(i128::from(now_us)))
            }),
            None => Fact::Blocked,
        }
    }

    /// All calls that some sandbox could run.
    pub(super) fn whole(&self) -> Region {
        let domains = self.keys.iter().map(|key| Rc::new(self.whole_domain(key)));
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
        let tool = match self.text(region, FactPath::Tool) {
            Found::One(text) => text,
            Found::Nothing => return Found::Nothing,
            Found::Unsure(why) => return Found::Unsure(why),
        };
        let facts = match self.facts(region) {
            Found::One(facts) => facts,
            Found::Nothing => return Found::Nothing,
            Found::Unsure(why) => return Found::Unsure(why),
        };
        let mut context = world.context;
        let unused = self.budgets.iter().map(|id| (id.clone(), Used::default()));
        context.budgets = unused.collect();
        match ToolCall::new(&tool, arguments, &principal, world.session.as_deref()) {
            Ok(call) => Found::One(Model {
                call,
                facts,
                context,
            }),
            Err(_) => Found::Unsure(Why::Call),
        }
    }

    /// At most one atom of each kind, and what the rules ask of the readings.
    fn facts(&self, region: &Region) -> Found<Facts> {
        let mut atoms = Vec::new();
        for kind in Kind::ALL {
            let there = self.find(&Key::Atom(kind)).and_then(|id| region.domain(id));
            match there.map(|domain| domain.pick(Kinds::ALL)) {
                None | Some(Found::One(Picked::Absent)) => continue,
                Some(Found::One(Picked::Value(_))) => {}
                Some(Found::One(Picked::Blocked) | Found::Nothing) => return Found::Nothing,
                Some(Found::Unsure(why)) => return Found::Unsure(why),
            }
            let path = |field| FactPath::Atom(kind, field);
            match self.object(region, kind.fields(), path) {
                Found::One(atom) => atoms.push((kind, Value::Object(atom))),
                Found::Nothing => return Found::Nothing,
                Found::Unsure(why) => return Found::Unsure(why),
            }
        }
        let mut readings = Vec::new();
        for reading in Reading::ALL {
            let path = |field| FactPath::Reading(reading, field);
            match self.object(region, reading.fields(), path) {
                Found::One(group) if group.is_empty() => {}
                Found::One(group) => readings.push((reading, Value::Object(group))),
                Found::Nothing => return Found::Nothing,
                Found::Unsure(why) => return Found::Unsure(why),
            }
        }
        Found::One(Facts::made_of(atoms, readings))
    }

    /// The fields that some rule asks for.
    fn object(
        &self,
        region: &Region,
        fields: &'static [Field],
        path: impl Fn(&'static Field) -> FactPath,
    ) -> Found<Map<String, Value>> {
        let mut map = Map::new();
        for field in fields {
            let domain = self.find(&Key::Fact(path(field)));
            match domain
                .and_then(|id| region.domain(id))
                .map(|domain| domain.pick(Kinds::ALL))
            {
                None | Some(Found::One(Picked::Absent)) => {}
                Some(Found::One(Picked::Value(value))) => {
                    map.insert(field.name.to_owned(), value);
                }
                Some(Found::One(Picked::Blocked) | Found::Nothing) => return Found::Nothing,
                Some(Found::Unsure(why)) => return Found::Unsure(why),
            }
        }
        Found::One(map)
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

impl Space {
    /// What a fact can be in a call that some sandbox could run.
    fn whole_domain(&self, key: &Key) -> Domain {
        match key {
            Key::Now => Domain::integers(Kinds::NUMBER.or(Kinds::BLOCKED), 0, u64::MAX.into()),
            Key::Atom(_) => Domain::of(Kinds::ABSENT.or(Kinds::OBJECT)),
            Key::Fact(FactPath::Tool) => {
                of_ask(Kinds::NONE, Ask::one_of(self.tools.keys().cloned()))
            }
            Key::Fact(FactPath::Principal) => of_ask(Kinds::NONE, Ask::new(AskKind::Name)),
            Key::Fact(FactPath::Session) => of_ask(Kinds::ABSENT, Ask::new(AskKind::Name)),
            Key::Fact(FactPath::Arguments(keys)) => whole_argument(keys),
            Key::Fact(FactPath::Time(part)) => whole_time(*part),
            Key::Fact(FactPath::SessionState(_)) => {
                let kinds = Kinds::NUMBER.or(Kinds::BLOCKED).or(Kinds::ABSENT);
                Domain::integers(kinds, 0, u64::MAX.into())
            }
            Key::Fact(FactPath::Atom(Kind::Path | Kind::Redirect, field))
                if ["value", "target"].contains(&field.name) =>
            {
                normal_path()
            }
            Key::Fact(FactPath::Atom(_, field) | FactPath::Reading(_, field)) => whole_field(field),
        }
    }
}

/// Texts for which a question holds, or something of other kinds.
fn of_ask(kinds: Kinds, ask: Rc<Ask>) -> Domain {
    let meaning = Meaning {
        absent: Truth::True,
        blocked: Truth::True,
        text: OfTexts::Ask(ask),
        ..Meaning::of_scalars(&[])
    };
    let cut = Domain::of(kinds.or(Kinds::TEXT)).cut(&meaning, Want::True);
    cut.unwrap_or_else(|| Domain::of(Kinds::NONE))
}

/// A fact that was read out of a call: null when it is not known. More than the pre-pass gives, so
/// that a proof holds whatever it gives.
fn whole_field(field: &Field) -> Domain {
    let kinds = match field.always {
        true => Kinds::NULL,
        false => Kinds::NULL.or(Kinds::ABSENT),
    };
    match field.kind {
        FieldType::Text => Domain::of(kinds.or(Kinds::TEXT).or(Kinds::LONG_TEXT)),
        FieldType::Number => Domain::of(kinds.or(Kinds::NUMBER)),
        FieldType::Array => Domain::lists(kinds),
    }
}

/// A path as the pre-pass writes it: no two slashes in a row and none at the end.
const NORMAL_PATH: &str = "^(/?([^/]+(/[^/]+)*)?)$";

/// Where a path leads, or null when only the run time knows.
fn normal_path() -> Domain {
    let kinds = Kinds::NULL.or(Kinds::LONG_TEXT);
    match crate::condition::compile_regex(NORMAL_PATH) {
        Ok(regex) => of_ask(kinds, Ask::new(AskKind::Regex(regex))),
        Err(_) => Domain::of(kinds.or(Kinds::TEXT)),
    }
}

/// What [`crate::grant`] takes where it looks, anything elsewhere.
fn whole_argument(keys: &[String]) -> Domain {
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let optional_text = Kinds::ABSENT.or(Kinds::TEXT).or(Kinds::LONG_TEXT);
    match keys.as_slice() {
        [] => Domain::of(Kinds::OBJECT),
        ["profile" | "language" | "code"] => Domain::of(optional_text),
        ["limits"] => Domain::of(Kinds::ABSENT.or(Kinds::OBJECT)),
        ["limits", "wall_ms" | "memory_bytes" | "output_bytes"] => {
            Domain::integers(Kinds::ABSENT.or(Kinds::NUMBER), 1, i64::MAX.into())
        }
        ["limits", _] => Domain::of(Kinds::ABSENT),
        _ => Domain::of(Kinds::ALL),
    }
}

fn whole_time(part: TimePart) -> Domain {
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
            Ask::one_of(world::WEEKDAYS.map(str::to_owned).into_iter()),
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
