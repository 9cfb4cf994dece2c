//! What a call of Python says: its name, what it loads, what it starts.

use ruff_python_ast::{self as ast, Expr};

use super::super::budget::MAX_ARGUMENTS;
use super::super::facts::DynamicKind;
use super::super::tables::{self, Starts};
use super::super::value::{Value, Values, text};
use super::Reader;

/// Built-in names that are listed where they are only mentioned.
pub(super) fn is_of_interest(name: &str) -> bool {
    matches!(name, "open" | "input" | "exit" | "quit")
        || name.contains('.')
        || tables::python_dynamic(name).is_some()
}

impl<'a> Reader<'a> {
    pub(super) fn call(&mut self, call: &'a ast::ExprCall) {
        let names = self.called(call);
        let (texts, complete) = self.arguments(call);
        for name in names {
            self.collector.call(&name, &texts, complete);
            self.loads(call, &name);
            if let Some(starts) = tables::python_starts(&name) {
                self.starts(call, &name, starts);
            }
        }
    }

    /// The names under which the call is listed.
    fn called(&mut self, call: &'a ast::ExprCall) -> Vec<String> {
        let values = self.values(&call.func);
        values
            .into_iter()
            .map(|value| match value {
                Value::Dotted(name) => name,
                Value::Text(_) | Value::List(_) | Value::Unknown => unknown(&call.func),
            })
            .collect()
    }

    /// The arguments by position, and whether these are all.
    fn arguments(&mut self, call: &'a ast::ExprCall) -> (Vec<Option<String>>, bool) {
        let arguments = &call.arguments.args;
        let mut texts = Vec::new();
        for argument in arguments.iter().take(MAX_ARGUMENTS) {
            let values = self.values(argument);
            texts.push(text(&values).map(ToOwned::to_owned));
        }
        let starred = arguments.iter().any(Expr::is_starred_expr);
        let all = arguments.len() == texts.len() && call.arguments.keywords.is_empty();
        (texts, all && !starred)
    }

    /// Modules that the call loads, and what it makes dynamic.
    fn loads(&mut self, call: &'a ast::ExprCall, name: &str) {
        match name {
            "__import__" | "importlib.import_module" | "importlib.__import__" => {
                self.loads_module(call, name);
            }
            "getattr" | "setattr" | "delattr" => match self.argument_text(call, 1, "name", 0) {
                Some(attribute) => self.member(call, &attribute),
                None => self.collector.dynamic(DynamicKind::Member, name),
            },
            name => {
                if let Some(kind) = tables::python_dynamic(name) {
                    self.collector.dynamic(kind, name);
                }
            }
        }
    }

    fn loads_module(&mut self, call: &'a ast::ExprCall, name: &str) {
        let Some(argument) = call.arguments.find_argument_value("name", 0) else {
            return self.collector.dynamic(DynamicKind::Import, name);
        };
        for value in self.values(argument) {
            match value {
                Value::Text(module) => {
                    self.modules.insert(module.clone());
                    self.collector.import(&module);
                    self.module_name(&module);
                }
                Value::Dotted(_) | Value::List(_) | Value::Unknown => {
                    self.collector.dynamic(DynamicKind::Import, name);
                }
            }
        }
    }

    /// A member that is named by a literal text.
    fn member(&mut self, call: &'a ast::ExprCall, attribute: &str) {
        if let Some(kind) = tables::python_attribute(attribute) {
            self.collector.dynamic(kind, attribute);
        }
        let Some(base) = call.arguments.find_argument_value("object", 0) else {
            return;
        };
        for value in self.values(base) {
            if let Value::Dotted(name) = super::values::member(&value, attribute) {
                self.mention(&name);
            }
        }
    }

    /// Programs that the call starts.
    fn starts(&mut self, call: &'a ast::ExprCall, name: &str, starts: Starts) {
        if let Some(program) = call.arguments.find_keyword("executable") {
            self.words(name, &[&program.value]);
        }
        let first = (call.arguments.args.first())
            .or_else(|| keyword(call, &["args", "cmd", "command", "path", "file"]));
        let Some(first) = first else {
            return self.collector.dynamic(DynamicKind::Command, name);
        };
        let rest = call.arguments.args.get(1..).unwrap_or(&[]);
        match starts {
            Starts::Shell => self.shell(name, first),
            Starts::Either => self.either(call, name, first),
            Starts::ProgramThenList | Starts::ProgramAndList => {
                self.program_and_list(name, first, rest.first());
            }
            Starts::ModeProgramThenList => match rest {
                [program, list, ..] => self.program_and_list(name, program, Some(list)),
                _ => self.collector.dynamic(DynamicKind::Command, name),
            },
            Starts::ProgramThenWords => {
                let words: Vec<&Expr> = std::iter::once(first).chain(rest.iter().skip(1)).collect();
                self.words(name, &words);
            }
            Starts::ModeProgramThenWords => {
                let program = rest.first().into_iter();
                let words: Vec<&Expr> = program.chain(rest.iter().skip(2)).collect();
                self.words(name, &words);
            }
            Starts::Words => {
                let words: Vec<&Expr> = call.arguments.args.iter().collect();
                self.words(name, &words);
            }
        }
    }

    fn shell(&mut self, name: &str, command: &'a Expr) {
        for value in self.values(command) {
            match value {
                Value::Text(text) => self.collector.shell(&text),
                Value::List(words) => self.collector.argv(&words),
                Value::Dotted(_) | Value::Unknown => {
                    self.collector.dynamic(DynamicKind::Command, name);
                }
            }
        }
    }

    /// `subprocess`: a list, a program, or a shell text, as the option says.
    fn either(&mut self, call: &'a ast::ExprCall, name: &str, command: &'a Expr) {
        let shell = may_be_shell(call);
        for value in self.values(command) {
            match value {
                Value::Text(text) if shell => self.collector.shell(&text),
                Value::Text(text) => self.collector.argv(&[text]),
                Value::List(words) => {
                    if let Some(text) = words.first().filter(|_| shell) {
                        self.collector.shell(text);
                    }
                    self.collector.argv(&words);
                }
                Value::Dotted(_) | Value::Unknown => {
                    self.collector.dynamic(DynamicKind::Command, name);
                }
            }
        }
    }

    fn program_and_list(&mut self, name: &str, program: &'a Expr, list: Option<&'a Expr>) {
        let program = self.values(program);
        let list: Values = list.map_or_else(Vec::new, |list| self.values(list));
        match (text(&program), list.as_slice()) {
            (Some(program), [Value::List(words)]) => {
                let words = words.iter().skip(1).cloned();
                let all: Vec<String> = std::iter::once(program.to_owned()).chain(words).collect();
                self.collector.argv(&all);
            }
            (Some(program), _) => {
                self.collector.argv(&[program.to_owned()]);
                self.collector.dynamic(DynamicKind::Command, name);
            }
            (None, _) => self.collector.dynamic(DynamicKind::Command, name),
        }
    }

    /// A program whose words are arguments of their own.
    fn words(&mut self, name: &str, words: &[&'a Expr]) {
        let mut texts = Vec::new();
        for word in words {
            match text(&self.values(word)) {
                Some(text) => texts.push(text.to_owned()),
                None => self.collector.dynamic(DynamicKind::Command, name),
            }
        }
        self.collector.argv(&texts);
    }
}

/// Whether the first argument may go to a shell.
fn may_be_shell(call: &ast::ExprCall) -> bool {
    call.arguments.keywords.iter().any(|keyword| {
        let named = keyword.arg.as_ref().map(|name| name.as_str());
        let off = matches!(&keyword.value, Expr::BooleanLiteral(literal) if !literal.value);
        matches!(named, None | Some("shell")) && !off
    })
}

fn keyword<'a>(call: &'a ast::ExprCall, names: &[&str]) -> Option<&'a Expr> {
    let mut found = names
        .iter()
        .filter_map(|name| call.arguments.find_keyword(name));
    found.next().map(|keyword| &keyword.value)
}

/// The name of a call whose function is not known.
fn unknown(function: &Expr) -> String {
    match function {
        Expr::Name(name) => name.id.to_string(),
        Expr::Attribute(attribute) => format!("?.{}", attribute.attr),
        _ => "?".to_owned(),
    }
}
