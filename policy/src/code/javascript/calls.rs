//! What a call of JavaScript says: its name, what it loads, what it starts.

use oxc_ast::ast::{Argument, Expression, ImportExpression, TaggedTemplateExpression};

use super::super::budget::MAX_ARGUMENTS;
use super::super::facts::DynamicKind;
use super::super::tables::{self, Starts};
use super::super::value::{Value, text};
use super::values::is_require;
use super::{Place, Reader};

impl<'a> Reader<'a> {
    pub(super) fn call(&mut self, callee: &'a Expression<'a>, arguments: &'a [Argument<'a>]) {
        let mut texts = Vec::new();
        for argument in arguments.iter().take(MAX_ARGUMENTS) {
            let values = argument.as_expression().map(|one| self.values(one));
            texts.push(values.as_deref().and_then(text).map(ToOwned::to_owned));
        }
        let spread = arguments.iter().any(Argument::is_spread);
        let complete = !spread && texts.len() == arguments.len();
        for name in self.called(callee) {
            self.collector.call(&name, &texts, complete);
            self.loads(&name, &texts);
            self.applied(&name);
            if let Some(starts) = tables::javascript_starts(&name) {
                self.starts(&name, starts, arguments);
            }
        }
    }

    /// The names under which the call is listed.
    fn called(&mut self, callee: &'a Expression<'a>) -> Vec<String> {
        let values = self.values(callee);
        values
            .into_iter()
            .map(|value| match value {
                Value::Dotted(name) => name,
                Value::Text(_) | Value::List(_) | Value::Unknown => unknown(callee),
            })
            .collect()
    }

    /// Modules that the call loads, and what it makes dynamic.
    fn loads(&mut self, name: &str, texts: &[Option<String>]) {
        if is_require(name) {
            match texts.first() {
                Some(Some(module)) => self.module(module),
                Some(None) | None => self.collector.dynamic(DynamicKind::Import, name),
            }
        } else if let Some(kind) = tables::javascript_dynamic(name) {
            self.collector.dynamic(kind, name);
        } else if matches!(name, "setTimeout" | "setInterval" | "setImmediate")
            && matches!(texts.first(), Some(Some(_)))
        {
            self.collector.dynamic(DynamicKind::Code, name);
        }
    }

    /// `f.call(…)`, `f.apply(…)` and `f.bind(…)` call what stands before them.
    fn applied(&mut self, name: &str) {
        let Some((function, "call" | "apply" | "bind")) = name.rsplit_once('.') else {
            return;
        };
        self.collector.call(function, &[], false);
        if tables::javascript_starts(function).is_some() {
            self.collector.dynamic(DynamicKind::Command, function);
        }
        match tables::javascript_dynamic(function) {
            Some(kind) => self.collector.dynamic(kind, function),
            None if is_require(function) => self.collector.dynamic(DynamicKind::Import, function),
            None => {}
        }
    }

    /// `` f`text` ``.
    pub(super) fn tagged(&mut self, tagged: &'a TaggedTemplateExpression<'a>) {
        for name in self.called(&tagged.tag) {
            self.collector.call(&name, &[], false);
            if let Some(kind) = tables::javascript_dynamic(&name) {
                self.collector.dynamic(kind, &name);
            }
            if tables::javascript_starts(&name).is_none() && !matches!(name.as_str(), "$" | "zx.$")
            {
                continue;
            }
            match tagged.quasi.quasis.as_slice() {
                [only] if tagged.quasi.expressions.is_empty() => {
                    self.collector
                        .shell(only.value.cooked.as_ref().unwrap_or(&only.value.raw));
                }
                _ => self.collector.dynamic(DynamicKind::Command, &name),
            }
        }
    }

    /// `import(…)`.
    pub(super) fn import(&mut self, import: &'a ImportExpression<'a>, place: Place) {
        for value in self.values(&import.source) {
            match value {
                Value::Text(name) => {
                    self.module(&name);
                    if place == Place::Plain {
                        self.collector.dynamic(DynamicKind::ModuleValue, &name);
                    }
                }
                Value::Dotted(_) | Value::List(_) | Value::Unknown => {
                    self.collector.dynamic(DynamicKind::Import, "import(…)");
                }
            }
        }
    }

    /// Programs that the call starts.
    fn starts(&mut self, name: &str, starts: Starts, arguments: &'a [Argument<'a>]) {
        let first = arguments.first().and_then(Argument::as_expression);
        let Some(first) = first else {
            return self.collector.dynamic(DynamicKind::Command, name);
        };
        let second = arguments.get(1).and_then(Argument::as_expression);
        let shell = matches!(starts, Starts::Shell) || self.may_be_shell(arguments);
        let rest = match second {
            Some(list) => self.values(list),
            None => Vec::new(),
        };
        for value in self.values(first) {
            match (value, rest.as_slice()) {
                (Value::List(words), _) => self.collector.argv(&words),
                (Value::Text(text), _) if matches!(starts, Starts::Shell) => {
                    self.collector.shell(&text);
                }
                (Value::Text(program), [Value::List(words)]) if shell => {
                    self.collector
                        .shell(&format!("{program} {}", words.join(" ")));
                }
                (Value::Text(program), [Value::List(words)]) => {
                    let all: Vec<String> = std::iter::once(program).chain(words.clone()).collect();
                    self.collector.argv(&all);
                }
                (Value::Text(program), _) => {
                    match shell {
                        true => self.collector.shell(&program),
                        false => self.collector.argv(&[program]),
                    }
                    // What may be a list of arguments, and not only options.
                    if second.is_some_and(|second| !is_no_list(second)) {
                        self.collector.dynamic(DynamicKind::Command, name);
                    }
                }
                (Value::Dotted(_) | Value::Unknown, _) => {
                    self.collector.dynamic(DynamicKind::Command, name);
                }
            }
        }
    }

    /// Whether options ask for a shell, or are not known.
    fn may_be_shell(&self, arguments: &[Argument<'_>]) -> bool {
        arguments.iter().skip(1).any(|argument| match argument {
            Argument::ObjectExpression(object) => object.properties.iter().any(|property| {
                let named = property.as_property().and_then(|one| one.key.static_name());
                named.is_none_or(|name| name == "shell")
            }),
            _ => false,
        })
    }
}

fn is_no_list(expression: &Expression<'_>) -> bool {
    matches!(
        expression,
        Expression::ObjectExpression(_)
            | Expression::ArrowFunctionExpression(_)
            | Expression::FunctionExpression(_)
    )
}

/// The name of a call whose function is not known.
fn unknown(callee: &Expression<'_>) -> String {
    match callee {
        Expression::Identifier(name) => name.name.to_string(),
        Expression::StaticMemberExpression(member) => format!("?.{}", member.property.name),
        _ => "?".to_owned(),
    }
}
