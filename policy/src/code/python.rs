//! Reads Python with ruff's parser.
//!
//! Three passes over the tree, none of which recurses over statements: bindings, meanings of
//! names, facts. The value of one expression is followed to a limited depth.

mod calls;
mod values;

use std::collections::HashSet;

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ModModule, PythonVersion};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};

use super::budget::MAX_ALIAS_ROUNDS;
use super::collect::Collector;
use super::facts::{CodeFacts, DynamicKind, Reason, Syntax};
use super::tables;
use super::value::{Names, Value};

/// Stack for one token: dropping a level of the tree takes less than 500 bytes; while parsing,
/// ruff's parser sees to its own stack.
pub(super) const FRAME_BYTES: usize = 1024;

/// Reads a text that has passed the guard.
pub(super) fn read(text: &str) -> CodeFacts {
    let options = ParseOptions::from(Mode::Module).with_target_version(PythonVersion::latest());
    let parsed = parse_unchecked(text, options);
    let rejected = parsed.has_syntax_errors();
    let Some(parsed) = parsed.try_into_module() else {
        return super::unfinished(Reason::GaveUp);
    };
    let mut reader = Reader::new(text);
    if rejected {
        reader.collector.facts.syntax = Syntax::Rejected;
    }
    reader.module(parsed.syntax());
    reader.coding(text);
    reader.finish()
}

/// How a node stands in its parent, as far as that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Plain,
    /// It is what a call calls: the call is listed, not the mention.
    Callee,
    /// A member of it is taken.
    Base,
    /// It only gets another name.
    Alias,
}

/// What a name is bound to.
enum Binding<'a> {
    /// The value of an expression.
    To(&'a str, &'a Expr),
    /// One of the elements of an expression's value.
    Each(&'a str, &'a Expr),
}

struct Reader<'a> {
    names: Names<'a>,
    collector: Collector,
    bindings: Vec<Binding<'a>>,
    /// Modules that names may stand for.
    modules: HashSet<String>,
    stack: Vec<(AnyNodeRef<'a>, Place)>,
}

/// Takes the children of a node without going into them.
struct Children<'s, 'a>(&'s mut Vec<(AnyNodeRef<'a>, Place)>);

impl<'a> SourceOrderVisitor<'a> for Children<'_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        self.0.push((node, Place::Plain));
        TraversalSignal::Skip
    }
}

impl<'a> Reader<'a> {
    fn new(text: &str) -> Self {
        Self {
            names: Names::default(),
            collector: Collector::for_bytes(text.len()),
            bindings: Vec::new(),
            modules: HashSet::new(),
            stack: Vec::new(),
        }
    }

    fn module(&mut self, module: &'a ModModule) {
        self.pass(module, Self::bind);
        self.meanings();
        self.pass(module, Self::node);
        for name in std::mem::take(&mut self.names.crowded) {
            self.collector.dynamic(DynamicKind::ManyMeanings, name);
        }
    }

    fn finish(mut self) -> CodeFacts {
        if self.collector.budget.is_used_up() {
            self.collector.facts.syntax = Syntax::Unfinished(Reason::Budget);
        }
        let ended = !matches!(self.collector.facts.syntax, Syntax::Unfinished(_));
        self.collector.facts.complete &= ended;
        self.collector.facts.counts.steps = self.collector.budget.used();
        self.collector.facts
    }

    /// One pass over all nodes, in the order of the text.
    fn pass(&mut self, module: &'a ModModule, visit: fn(&mut Self, AnyNodeRef<'a>, Place)) {
        self.stack.clear();
        self.stack.push((AnyNodeRef::from(module), Place::Plain));
        while let Some((node, place)) = self.stack.pop() {
            if !self.collector.budget.step() {
                return;
            }
            let start = self.stack.len();
            node.visit_source_order(&mut Children(&mut self.stack));
            visit(self, node, place);
            if let Some(children) = self.stack.get_mut(start..) {
                mark(node, children);
                children.reverse();
            }
        }
    }

    /// Follows aliases of aliases until nothing changes.
    fn meanings(&mut self) {
        let bindings = std::mem::take(&mut self.bindings);
        self.names.take_changed();
        for _ in 0..MAX_ALIAS_ROUNDS {
            for binding in &bindings {
                self.meaning(binding);
            }
            if !self.names.take_changed() {
                return;
            }
        }
        let about = "aliases of aliases of aliases";
        self.collector.dynamic(DynamicKind::ManyMeanings, about);
    }

    fn meaning(&mut self, binding: &Binding<'a>) {
        match binding {
            Binding::To(name, expression) => {
                for value in self.values(expression) {
                    self.names.bind(name, value);
                }
            }
            Binding::Each(name, expression) => {
                for value in self.values(expression) {
                    match value {
                        Value::List(texts) => {
                            for text in texts {
                                self.names.bind(name, Value::Text(text));
                            }
                        }
                        Value::Dotted(_) | Value::Text(_) | Value::Unknown => {
                            self.names.bind(name, Value::Unknown);
                        }
                    }
                }
            }
        }
    }

    /// The first pass: what a node binds.
    fn bind(&mut self, node: AnyNodeRef<'a>, _place: Place) {
        match node {
            AnyNodeRef::StmtImport(import) => self.bind_import(import),
            AnyNodeRef::StmtImportFrom(import) => self.bind_import_from(import),
            AnyNodeRef::StmtAssign(assign) => {
                for target in &assign.targets {
                    self.bind_target(target, Some(&assign.value));
                }
            }
            AnyNodeRef::StmtAnnAssign(assign) => {
                self.bind_target(&assign.target, assign.value.as_deref());
            }
            AnyNodeRef::StmtAugAssign(assign) => self.bind_target(&assign.target, None),
            AnyNodeRef::ExprNamed(named) => self.bind_target(&named.target, Some(&named.value)),
            AnyNodeRef::StmtFor(each) => self.bind_each(&each.target, &each.iter),
            AnyNodeRef::Comprehension(each) => self.bind_each(&each.target, &each.iter),
            AnyNodeRef::WithItem(item) => {
                if let Some(target) = &item.optional_vars {
                    self.bind_target(target, Some(&item.context_expr));
                }
            }
            AnyNodeRef::StmtFunctionDef(function) => self.unknown(&function.name),
            AnyNodeRef::StmtClassDef(class) => self.unknown(&class.name),
            AnyNodeRef::Parameter(parameter) => self.unknown(&parameter.name),
            AnyNodeRef::ParameterWithDefault(parameter) => {
                if let Some(default) = &parameter.default {
                    self.bindings
                        .push(Binding::To(&parameter.parameter.name, default));
                }
            }
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                handler.name.iter().for_each(|name| self.unknown(name));
            }
            AnyNodeRef::PatternMatchAs(pattern) => {
                pattern.name.iter().for_each(|name| self.unknown(name));
            }
            AnyNodeRef::PatternMatchStar(pattern) => {
                pattern.name.iter().for_each(|name| self.unknown(name));
            }
            AnyNodeRef::PatternMatchMapping(pattern) => {
                pattern.rest.iter().for_each(|name| self.unknown(name));
            }
            _ => {}
        }
    }

    fn unknown(&mut self, name: &'a str) {
        self.names.bind(name, Value::Unknown);
    }

    fn bind_import(&mut self, import: &'a ast::StmtImport) {
        for alias in &import.names {
            let full = alias.name.as_str();
            let root = full.split('.').next().unwrap_or(full);
            let (name, module) = match &alias.asname {
                Some(name) => (name.as_str(), full),
                None => (root, root),
            };
            self.modules.insert(module.to_owned());
            self.names.bind(name, Value::Dotted(module.to_owned()));
        }
    }

    fn bind_import_from(&mut self, import: &'a ast::StmtImportFrom) {
        let module = from_module(import);
        for alias in &import.names {
            let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
            if alias.name.as_str() == "*" {
                self.names.stars.push(module.clone());
            } else {
                let value = values::member(&Value::Dotted(module.clone()), &alias.name);
                self.names.bind(name, value);
            }
        }
    }

    /// A target of an assignment; of a list of targets each gets its part if that is written.
    fn bind_target(&mut self, target: &'a Expr, value: Option<&'a Expr>) {
        let mut pairs = vec![(target, value)];
        while let Some((target, value)) = pairs.pop() {
            match (target, value) {
                (Expr::Name(name), Some(value)) => {
                    self.bindings.push(Binding::To(&name.id, value));
                }
                (Expr::Name(name), None) => self.unknown(&name.id),
                (Expr::Starred(starred), _) => pairs.push((&starred.value, None)),
                (target, value) => {
                    let (Some(targets), values) = (elements(target), value.and_then(elements))
                    else {
                        continue;
                    };
                    let same = values.filter(|values| values.len() == targets.len());
                    for (index, target) in targets.iter().enumerate() {
                        pairs.push((target, same.and_then(|values| values.get(index))));
                    }
                }
            }
        }
    }

    fn bind_each(&mut self, target: &'a Expr, iterated: &'a Expr) {
        match target {
            Expr::Name(name) => self.bindings.push(Binding::Each(&name.id, iterated)),
            target => self.bind_target(target, None),
        }
    }

    /// The last pass: the facts of a node.
    fn node(&mut self, node: AnyNodeRef<'a>, place: Place) {
        self.collector.facts.counts.nodes += 1;
        match node {
            AnyNodeRef::StmtImport(import) => {
                for alias in &import.names {
                    self.collector.import(&alias.name);
                    self.module_name(&alias.name);
                }
            }
            AnyNodeRef::StmtImportFrom(import) => self.import_from(import),
            AnyNodeRef::ExprCall(call) => {
                self.call(call);
                if place == Place::Plain {
                    self.handed_on(call);
                }
            }
            AnyNodeRef::ExprAttribute(attribute) => self.attribute(attribute, place),
            AnyNodeRef::ExprName(name) => self.name(name, place),
            AnyNodeRef::ExprSubscript(subscript) => self.subscript(subscript),
            AnyNodeRef::ExprStringLiteral(string) => self.collector.text(string.value.to_str()),
            AnyNodeRef::ExprBytesLiteral(bytes) => {
                let bytes: Vec<u8> = bytes.value.bytes().collect();
                if let Ok(text) = std::str::from_utf8(&bytes) {
                    self.collector.text(text);
                }
            }
            AnyNodeRef::InterpolatedStringLiteralElement(part) => self.collector.text(&part.value),
            AnyNodeRef::ExprBinOp(_) => self.joined(node),
            _ => {}
        }
    }

    /// A module that is loaded and handed on at once.
    fn handed_on(&mut self, call: &'a ast::ExprCall) {
        for value in self.result(call, 0) {
            if let Value::Dotted(name) = value
                && self.modules.contains(&name)
            {
                self.collector.dynamic(DynamicKind::ModuleValue, &name);
            }
        }
    }

    /// Texts that are put together from literals.
    fn joined(&mut self, node: AnyNodeRef<'a>) {
        if let AnyNodeRef::ExprBinOp(sum) = node
            && matches!(sum.op, ast::Operator::Add)
        {
            for value in self.sum(sum) {
                if let Value::Text(text) = value {
                    self.collector.text(&text);
                }
            }
        }
    }

    /// What a module's name alone says.
    fn module_name(&mut self, name: &str) {
        if let Some(kind) = tables::python_dynamic(&format!("{name}.")) {
            self.collector.dynamic(kind, name);
        }
    }

    fn import_from(&mut self, import: &ast::StmtImportFrom) {
        let module = from_module(import);
        self.collector.import(&module);
        self.module_name(&module);
        for alias in &import.names {
            if alias.name.as_str() == "*" {
                self.collector.dynamic(DynamicKind::StarImport, &module);
            } else {
                let value = values::member(&Value::Dotted(module.clone()), &alias.name);
                if let Value::Dotted(name) = value {
                    self.mention(&name);
                }
            }
        }
    }

    /// A name that may be called later under another one.
    fn mention(&mut self, name: &str) {
        self.collector.mention(name);
        if let Some(kind) = tables::python_dynamic(name) {
            self.collector.dynamic(kind, name);
        }
    }

    fn attribute(&mut self, attribute: &'a ast::ExprAttribute, place: Place) {
        if let Some(kind) = tables::python_attribute(&attribute.attr) {
            self.collector.dynamic(kind, &attribute.attr);
        }
        if place == Place::Callee {
            return;
        }
        for value in self.attribute_values(attribute, 0) {
            match value {
                Value::Dotted(name) if self.modules.contains(&name) && place == Place::Plain => {
                    self.collector.dynamic(DynamicKind::ModuleValue, &name);
                }
                Value::Dotted(name) if place != Place::Base => self.mention(&name),
                Value::Dotted(name) => {
                    if let Some(kind) = tables::python_dynamic(&name) {
                        self.collector.dynamic(kind, &name);
                    }
                }
                Value::Text(_) | Value::List(_) | Value::Unknown => {}
            }
        }
    }

    fn name(&mut self, name: &'a ast::ExprName, place: Place) {
        if !matches!(name.ctx, ast::ExprContext::Load) || place == Place::Callee {
            return;
        }
        let bound = self.names.is_bound(&name.id);
        for value in self.names.values(&name.id) {
            let Value::Dotted(dotted) = value else {
                continue;
            };
            if self.modules.contains(&dotted) {
                if place == Place::Plain {
                    self.collector.dynamic(DynamicKind::ModuleValue, &dotted);
                }
            } else if place == Place::Base {
                if let Some(kind) = tables::python_dynamic(&dotted) {
                    self.collector.dynamic(kind, &dotted);
                }
            } else if bound || calls::is_of_interest(&dotted) {
                self.mention(&dotted);
            }
        }
    }

    /// Tables of names that are indexed, whatever the index.
    fn subscript(&mut self, subscript: &'a ast::ExprSubscript) {
        if !matches!(
            subscript.slice.as_ref(),
            Expr::StringLiteral(_) | Expr::NumberLiteral(_) | Expr::Slice(_)
        ) {
            self.collector.facts.counts.computed_members += 1;
        }
        for value in self.values(&subscript.value) {
            if let Value::Dotted(name) = value
                && values::is_table(&name)
            {
                self.collector.dynamic(DynamicKind::Namespace, &name);
            }
        }
        for value in self.subscript_values(subscript, 0) {
            if let Value::Dotted(name) = value {
                self.mention(&name);
            }
        }
    }

    /// A declared encoding makes an interpreter read other text than this.
    fn coding(&mut self, text: &str) {
        for line in text.split(['\n', '\r']).take(4) {
            let Some((before, after)) = line.split_once("coding") else {
                continue;
            };
            let Some(name) = after.strip_prefix([':', '=']) else {
                continue;
            };
            let name = name.trim().to_ascii_lowercase().replace('_', "-");
            let known = ["utf-8", "utf8", "ascii", "us-ascii"];
            if before.trim_start().starts_with('#')
                && !known.iter().any(|known| name.starts_with(known))
            {
                self.collector.dynamic(DynamicKind::Code, line);
            }
        }
    }
}

/// Says of the children of a node how they stand in it.
fn mark<'a>(node: AnyNodeRef<'a>, children: &mut [(AnyNodeRef<'a>, Place)]) {
    let (child, place): (&Expr, Place) = match node {
        AnyNodeRef::ExprCall(call) => (&call.func, Place::Callee),
        AnyNodeRef::ExprAttribute(attribute) => (&attribute.value, Place::Base),
        AnyNodeRef::StmtAssign(assign) if assign.targets.iter().all(Expr::is_name_expr) => {
            (&assign.value, Place::Alias)
        }
        AnyNodeRef::ExprNamed(named) => (&named.value, Place::Alias),
        AnyNodeRef::StmtExpr(statement) => (&statement.value, Place::Alias),
        _ => return,
    };
    let wanted = AnyNodeRef::from(child);
    for (found, at) in children {
        if found.ptr_eq(wanted) {
            *at = place;
        }
    }
}

fn elements(expression: &Expr) -> Option<&[Expr]> {
    match expression {
        Expr::List(list) => Some(&list.elts),
        Expr::Tuple(tuple) => Some(&tuple.elts),
        _ => None,
    }
}

/// The module of `from … import`, with the dots of a relative one.
fn from_module(import: &ast::StmtImportFrom) -> String {
    let dots = usize::try_from(import.level).unwrap_or(0).min(16);
    let name = import.module.as_ref().map_or("", |name| name.as_str());
    format!("{}{name}", ".".repeat(dots))
}
