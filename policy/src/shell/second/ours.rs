//! The simple commands of our tree, as digests.

use super::super::ast::{
    AndOr, AssignedValue, AssignmentWord, Body, HereBody, Member, Piece, Script, Simple, Word,
};
use super::Digest;

/// Every simple command, also in substitutions.
pub(super) fn commands(script: &Script, documents: &[HereBody]) -> Vec<u64> {
    let mut collector = Collector {
        documents,
        found: Vec::new(),
    };
    collector.script(script);
    collector.found
}

struct Collector<'a> {
    documents: &'a [HereBody],
    found: Vec<u64>,
}

impl Collector<'_> {
    fn script(&mut self, script: &Script) {
        for AndOr { first, rest, .. } in &script.entries {
            let pipelines = std::iter::once(first).chain(rest.iter().map(|(_, p)| p));
            for member in pipelines.flat_map(|pipeline| &pipeline.members) {
                self.member(member);
            }
        }
    }

    fn member(&mut self, member: &Member) {
        let mut files = Vec::new();
        for redirect in &member.redirects {
            match redirect
                .document
                .and_then(|index| self.documents.get(index))
            {
                Some(body) => self.pieces(&body.pieces),
                None => {
                    files.push(key(&redirect.target));
                    self.pieces(&redirect.target.pieces);
                }
            }
        }
        match &member.body {
            Body::Simple(simple) => self.simple(simple, &files),
            body => self.compound(body),
        }
    }

    fn simple(&mut self, simple: &Simple, files: &[u64]) {
        let mut digest = Digest::new();
        for assignment in simple.assignments.iter().chain(&simple.lists) {
            self.assignment(assignment);
        }
        // Lists among the arguments stand in no order with the words; both sides put them first.
        let assigned = simple.assignments.iter().chain(&simple.lists);
        assigned.for_each(|assignment| digest.add(assignment.key));
        for word in &simple.words {
            digest.add(key(word));
            self.pieces(&word.pieces);
        }
        files.iter().for_each(|file| digest.add(*file));
        self.found.push(digest.value);
    }

    fn assignment(&mut self, assignment: &AssignmentWord) {
        self.pieces(assignment.subscript.as_deref().unwrap_or(&[]));
        match &assignment.value {
            AssignedValue::Word(word) => self.pieces(&word.pieces),
            AssignedValue::List(words) => self.words(words),
        }
    }

    fn words(&mut self, words: &[Word]) {
        for word in words {
            self.pieces(&word.pieces);
        }
    }

    fn compound(&mut self, body: &Body) {
        match body {
            Body::Simple(_) | Body::Nothing => {}
            Body::Subshell(script) | Body::Group(script) => self.script(script),
            Body::If(parts) => parts.iter().for_each(|part| self.script(part)),
            Body::Loop(condition, body) => {
                self.script(condition);
                self.script(body);
            }
            Body::For(_, words, body) => {
                self.words(words.as_deref().unwrap_or(&[]));
                self.script(body);
            }
            Body::ArithmeticFor(pieces, body) => {
                self.pieces(pieces);
                self.script(body);
            }
            Body::Case(subject, arms) => {
                self.pieces(&subject.pieces);
                for (patterns, script) in arms {
                    self.words(patterns);
                    self.script(script);
                }
            }
            Body::Arithmetic(pieces) => self.pieces(pieces),
            Body::Test(terms) => terms.iter().for_each(|term| self.words(&term.words)),
            Body::Function(_, body) | Body::Coprocess(_, body) => self.member(body),
        }
    }

    fn pieces(&mut self, pieces: &[Piece]) {
        for piece in pieces {
            match piece {
                Piece::Text(_) | Piece::Quoted(_) | Piece::Odd(..) => {}
                Piece::Parameter(parameter) => self.pieces(&parameter.nested),
                Piece::Command(script, _) | Piece::Process(script) => self.script(script),
                Piece::Arithmetic(inner) => self.pieces(inner),
            }
        }
    }
}

/// A process substitution has no text in the other reading.
fn key(word: &Word) -> u64 {
    match word.pieces.as_slice() {
        [Piece::Process(_)] => PROCESS_KEY,
        _ => word.key,
    }
}

/// Stands for a process substitution on both sides.
pub(super) const PROCESS_KEY: u64 = 1;
