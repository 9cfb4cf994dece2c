//! Reads JavaScript and TypeScript with oxc's parser.
//!
//! The text is tried as JavaScript (with JSX), then as TypeScript, then as both; it is accepted if
//! one of them accepts it. One walk lists all nodes with their parents; everything else goes over
//! that list.

mod bindings;
mod calls;
mod values;

use std::collections::HashSet;

use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_ast::ast::{Expression, ForStatementLeft, Program};
use oxc_ast_visit::Visit;
use oxc_parser::{ParseOptions, Parser, ParserReturn};
use oxc_span::{GetSpan, SourceType};

use super::budget::{MAX_ALIAS_ROUNDS, MAX_ANGLES};
use super::collect::Collector;
use super::facts::{CodeFacts, DynamicKind, Reason, Syntax};
use super::tables;
use super::value::{Names, Value};
use values::is_root;

/// Stack for one token: measured at less than 3 KB for the costliest form of nesting.
pub(super) const FRAME_BYTES: usize = 8 * 1024;

/// Reads a text that has passed the guard.
pub(super) fn read(text: &str) -> CodeFacts {
    let allocator = Allocator::default();
    let kinds = [
        SourceType::unambiguous().with_jsx(true),
        SourceType::ts(),
        SourceType::tsx(),
    ];
    let angles = text.bytes().filter(|byte| *byte == b'<').count();
    let mut best: Option<ParserReturn<'_>> = None;
    for kind in kinds {
        let parsed = parse(&allocator, text, kind);
        if accepted(&parsed) {
            return facts(text, &parsed.program, Syntax::Accepted);
        }
        // Of what is rejected, the reading with the most statements tells most.
        let more = best
            .as_ref()
            .is_none_or(|best| parsed.program.body.len() > best.program.body.len());
        if more {
            best = Some(parsed);
        }
        if angles > MAX_ANGLES {
            return super::unfinished(Reason::Budget);
        }
    }
    match best {
        Some(parsed) => facts(text, &parsed.program, Syntax::Rejected),
        None => super::unfinished(Reason::GaveUp),
    }
}

fn parse<'a>(allocator: &'a Allocator, text: &'a str, kind: SourceType) -> ParserReturn<'a> {
    let options = ParseOptions {
        preserve_parens: false,
        ..ParseOptions::default()
    };
    Parser::new(allocator, text, kind)
        .with_options(options)
        .parse()
}

fn accepted(parsed: &ParserReturn<'_>) -> bool {
    !parsed.panicked && parsed.diagnostics.is_empty() && !parsed.is_flow_language
}

fn facts<'a>(text: &str, program: &Program<'a>, syntax: Syntax) -> CodeFacts {
    let mut list = List::default();
    list.visit_program(program);
    let mut reader = Reader {
        names: Names::default(),
        collector: Collector::for_bytes(text.len()),
        modules: HashSet::new(),
    };
    reader.collector.facts.syntax = syntax;
    reader.meanings(&list);
    reader.all(&list);
    reader.finish()
}

/// All nodes in the order of the text, each with the index of its parent.
#[derive(Default)]
struct List<'a> {
    nodes: Vec<(AstKind<'a>, usize)>,
    open: Vec<usize>,
}

impl<'a> Visit<'a> for List<'a> {
    fn enter_node(&mut self, kind: AstKind<'a>) {
        let parent = self.open.last().copied().unwrap_or(0);
        self.open.push(self.nodes.len());
        self.nodes.push((kind, parent));
    }

    fn leave_node(&mut self, _kind: AstKind<'a>) {
        self.open.pop();
    }
}

/// How a node stands in its parent, as far as that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Plain,
    Callee,
    Base,
    Alias,
}

fn place(kind: AstKind<'_>, parent: AstKind<'_>) -> Place {
    let span = kind.span();
    match parent {
        AstKind::CallExpression(call) if call.callee.span() == span => Place::Callee,
        AstKind::NewExpression(new) if new.callee.span() == span => Place::Callee,
        AstKind::TaggedTemplateExpression(tagged) if tagged.tag.span() == span => Place::Callee,
        AstKind::StaticMemberExpression(member) if member.object.span() == span => Place::Base,
        AstKind::ComputedMemberExpression(member) if member.object.span() == span => Place::Base,
        AstKind::VariableDeclarator(declarator) if !declarator.id.is_array_pattern() => {
            Place::Alias
        }
        AstKind::AssignmentExpression(assignment)
            if assignment.right.span() == span
                && assignment
                    .left
                    .as_simple_assignment_target()
                    .is_some_and(|target| target.get_identifier_name().is_some()) =>
        {
            Place::Alias
        }
        // Read or written through the same name: nothing is handed on.
        AstKind::UnaryExpression(_)
        | AstKind::AwaitExpression(_)
        | AstKind::ExpressionStatement(_)
        | AstKind::ChainExpression(_) => Place::Alias,
        _ => Place::Plain,
    }
}

struct Reader<'a> {
    names: Names<'a>,
    collector: Collector,
    /// Modules that names may stand for.
    modules: HashSet<String>,
}

impl<'a> Reader<'a> {
    /// Follows aliases of aliases until nothing changes.
    fn meanings(&mut self, list: &List<'a>) {
        for (kind, _) in &list.nodes {
            if let AstKind::ForOfStatement(each) = kind {
                self.bind_left(&each.left);
            } else if let AstKind::ForInStatement(each) = kind {
                self.bind_left(&each.left);
            }
        }
        for _ in 0..MAX_ALIAS_ROUNDS {
            for (kind, _) in &list.nodes {
                if !self.collector.budget.step() {
                    return;
                }
                self.bind(*kind);
            }
            if !self.names.take_changed() {
                return;
            }
        }
        let about = "aliases of aliases of aliases";
        self.collector.dynamic(DynamicKind::ManyMeanings, about);
    }

    fn bind_left(&mut self, left: &'a ForStatementLeft<'a>) {
        if let ForStatementLeft::VariableDeclaration(declaration) = left {
            for declarator in &declaration.declarations {
                self.pattern(&declarator.id, &[Value::Unknown]);
            }
        }
    }

    fn all(&mut self, list: &List<'a>) {
        for (kind, parent) in &list.nodes {
            if !self.collector.budget.step() {
                return;
            }
            let parent = list.nodes.get(*parent).map_or(*kind, |(parent, _)| *parent);
            self.node(*kind, place(*kind, parent));
        }
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

    fn node(&mut self, kind: AstKind<'a>, place: Place) {
        self.collector.facts.counts.nodes += 1;
        match kind {
            AstKind::ImportDeclaration(import) => self.module(&import.source.value),
            AstKind::ExportFromDeclaration(export) => self.module(&export.source.value),
            AstKind::ExportAllDeclaration(export) => self.module(&export.source.value),
            AstKind::TSExternalModuleReference(module) => self.module(&module.expression.value),
            AstKind::ImportSpecifier(import) => {
                for value in self.names.values(&import.local.name) {
                    if let Value::Dotted(name) = value {
                        self.mention(&name);
                    }
                }
            }
            AstKind::ImportExpression(import) => self.import(import, place),
            AstKind::CallExpression(call) => {
                self.call(&call.callee, &call.arguments);
                if place == Place::Plain {
                    self.handed_on(call);
                }
            }
            AstKind::NewExpression(new) => self.call(&new.callee, &new.arguments),
            AstKind::TaggedTemplateExpression(tagged) => self.tagged(tagged),
            AstKind::IdentifierReference(name) => self.name(&name.name, place),
            AstKind::StaticMemberExpression(member) => {
                self.member_name(&member.property.name);
                let values = self.member_values(&member.object, &member.property.name, 0);
                self.values_at(values, place);
            }
            AstKind::ComputedMemberExpression(member) => self.computed(member, place),
            AstKind::StringLiteral(text) => self.collector.text(&text.value),
            AstKind::TemplateElement(part) => {
                self.collector
                    .text(part.value.cooked.as_ref().unwrap_or(&part.value.raw));
            }
            AstKind::BinaryExpression(sum) => {
                for value in self.sum(sum, 0) {
                    if let Value::Text(text) = value {
                        self.collector.text(&text);
                    }
                }
            }
            AstKind::WithStatement(_) => {
                self.collector.dynamic(DynamicKind::Namespace, "with");
            }
            AstKind::BindingProperty(property) => {
                if let Some(name) = property.key.static_name() {
                    self.member_name(&name);
                } else {
                    self.collector.dynamic(DynamicKind::Member, "{[…]: …}");
                }
            }
            _ => {}
        }
    }

    /// A module that is named by the text.
    fn module(&mut self, name: &str) {
        let name = values::module(name);
        self.collector.import(&name);
        if let Some(kind) = tables::javascript_dynamic(&format!("{name}.")) {
            self.collector.dynamic(kind, &name);
        }
    }

    /// A module that is loaded and handed on at once.
    fn handed_on(&mut self, call: &'a oxc_ast::ast::CallExpression<'a>) {
        for value in self.result(call, 0) {
            if let Value::Dotted(name) = value
                && self.modules.contains(&name)
            {
                self.collector.dynamic(DynamicKind::ModuleValue, &name);
            }
        }
    }

    /// A name that may be called later under another one.
    fn mention(&mut self, name: &str) {
        self.collector.mention(name);
        if let Some(kind) = tables::javascript_dynamic(name) {
            self.collector.dynamic(kind, name);
        }
    }

    fn member_name(&mut self, name: &str) {
        if let Some(kind) = tables::javascript_member(name) {
            self.collector.dynamic(kind, name);
        }
    }

    fn name(&mut self, name: &'a str, place: Place) {
        if place == Place::Callee {
            return;
        }
        let bound = self.names.is_bound(name);
        for value in self.names.values(name) {
            let Value::Dotted(dotted) = value else {
                continue;
            };
            if self.modules.contains(&dotted) {
                if place == Place::Plain {
                    self.collector.dynamic(DynamicKind::ModuleValue, &dotted);
                }
            } else if place == Place::Plain || (place == Place::Alias && !is_root(&dotted)) {
                let known = tables::javascript_dynamic(&dotted).is_some();
                if bound || known || dotted == "fetch" {
                    self.mention(&dotted);
                }
            }
        }
    }

    /// A member that is used as a value, or of which a member is taken.
    fn values_at(&mut self, values: Vec<Value>, place: Place) {
        for value in values {
            match value {
                Value::Dotted(name) if self.modules.contains(&name) => {
                    if place == Place::Plain {
                        self.collector.dynamic(DynamicKind::ModuleValue, &name);
                    }
                }
                Value::Dotted(name) if matches!(place, Place::Plain | Place::Alias) => {
                    self.mention(&name);
                }
                Value::Dotted(name) => {
                    if let Some(kind) = tables::javascript_dynamic(&name) {
                        self.collector.dynamic(kind, &name);
                    }
                }
                Value::Text(_) | Value::List(_) | Value::Unknown => {}
            }
        }
    }

    fn computed(&mut self, member: &'a oxc_ast::ast::ComputedMemberExpression<'a>, place: Place) {
        if matches!(member.expression, Expression::NumericLiteral(_)) {
            return;
        }
        let keys = self.values(&member.expression);
        let mut known = true;
        for key in &keys {
            match key {
                Value::Text(name) => {
                    self.member_name(name);
                    let values = self.member_values(&member.object, name, 0);
                    self.values_at(values, place);
                }
                Value::Dotted(_) | Value::List(_) | Value::Unknown => known = false,
            }
        }
        if known {
            return;
        }
        self.collector.facts.counts.computed_members += 1;
        if place == Place::Callee {
            self.collector.dynamic(DynamicKind::Member, "a call of […]");
        }
        for value in self.values(&member.object) {
            if let Value::Dotted(name) = value
                && (self.modules.contains(&name) || is_root(&name) || name == "this")
            {
                self.collector.dynamic(DynamicKind::Member, &name);
            }
        }
    }
}
