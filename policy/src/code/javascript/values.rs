//! What an expression of JavaScript may stand for.

use oxc_ast::ast::{
    Argument, BinaryExpression, CallExpression, ChainElement, Expression, MemberExpression,
};

use super::super::budget::{MAX_ARGUMENTS, MAX_VALUE_DEPTH, PARTS_PER_STEP};
use super::super::facts::DynamicKind;
use super::super::value::{Value, Values, add, text};
use super::Reader;

impl<'a> Reader<'a> {
    /// What an expression may stand for.
    pub(super) fn values(&mut self, expression: &'a Expression<'a>) -> Values {
        self.at(expression, 0)
    }

    fn at(&mut self, expression: &'a Expression<'a>, depth: usize) -> Values {
        if depth >= MAX_VALUE_DEPTH {
            let about = "a long chain in an expression";
            self.collector.dynamic(DynamicKind::ManyMeanings, about);
            return vec![Value::Unknown];
        }
        if !self.collector.budget.step() {
            return vec![Value::Unknown];
        }
        let values = self.followed(expression, depth);
        self.collector.budget.values(values.len());
        values
    }

    fn followed(&mut self, expression: &'a Expression<'a>, depth: usize) -> Values {
        if let Some(member) = expression.as_member_expression() {
            return self.member_at(member, depth);
        }
        let next = depth + 1;
        match expression {
            Expression::Identifier(name) => {
                self.names.values(&name.name).iter().map(global).collect()
            }
            Expression::ThisExpression(_) => vec![Value::Dotted("this".to_owned())],
            Expression::StringLiteral(string) => vec![Value::Text(string.value.to_string())],
            Expression::TemplateLiteral(template) => vec![plain(template)],
            Expression::CallExpression(call) => self.result(call, next),
            Expression::NewExpression(new) => {
                let functions = self.at(&new.callee, next);
                functions.iter().map(Value::result).collect()
            }
            Expression::ImportExpression(import) => match text(&self.at(&import.source, next)) {
                Some(name) => vec![self.module_value(name)],
                None => vec![Value::Unknown],
            },
            Expression::AwaitExpression(awaited) => self.at(&awaited.argument, next),
            Expression::ChainExpression(chain) => self.chain(&chain.expression, next),
            Expression::SequenceExpression(sequence) => match sequence.expressions.last() {
                Some(last) => self.at(last, next),
                None => vec![Value::Unknown],
            },
            Expression::ConditionalExpression(choice) => {
                self.any(&choice.consequent, &choice.alternate, next)
            }
            Expression::LogicalExpression(choice) => self.any(&choice.left, &choice.right, next),
            Expression::AssignmentExpression(assignment) => self.at(&assignment.right, next),
            Expression::BinaryExpression(sum) => self.sum(sum, next),
            Expression::ArrayExpression(array) => {
                let mut texts = Vec::new();
                for element in array.elements.iter().take(MAX_ARGUMENTS) {
                    let values = element.as_expression().map(|one| self.at(one, next));
                    match values.as_deref().and_then(text) {
                        Some(text) => texts.push(text.to_owned()),
                        None => return vec![Value::Unknown],
                    }
                }
                match texts.len() == array.elements.len() {
                    true => vec![Value::List(texts)],
                    false => vec![Value::Unknown],
                }
            }
            Expression::ParenthesizedExpression(inner) => self.at(&inner.expression, next),
            Expression::TSAsExpression(inner) => self.at(&inner.expression, next),
            Expression::TSSatisfiesExpression(inner) => self.at(&inner.expression, next),
            Expression::TSTypeAssertion(inner) => self.at(&inner.expression, next),
            Expression::TSNonNullExpression(inner) => self.at(&inner.expression, next),
            Expression::TSInstantiationExpression(inner) => self.at(&inner.expression, next),
            _ => vec![Value::Unknown],
        }
    }

    fn any(&mut self, left: &'a Expression<'a>, right: &'a Expression<'a>, depth: usize) -> Values {
        let mut values = self.at(left, depth);
        for value in self.at(right, depth) {
            if !add(&mut values, value) {
                let about = "a choice of many";
                self.collector.dynamic(DynamicKind::ManyMeanings, about);
            }
        }
        values
    }

    fn chain(&mut self, element: &'a ChainElement<'a>, depth: usize) -> Values {
        match element {
            ChainElement::CallExpression(call) => self.result(call, depth),
            ChainElement::TSNonNullExpression(inner) => self.at(&inner.expression, depth),
            element => match element.as_member_expression() {
                Some(member) => self.member_at(member, depth),
                None => vec![Value::Unknown],
            },
        }
    }

    fn member_at(&mut self, expression: &'a MemberExpression<'a>, depth: usize) -> Values {
        match expression {
            MemberExpression::StaticMemberExpression(it) => {
                self.member_values(&it.object, &it.property.name, depth + 1)
            }
            MemberExpression::ComputedMemberExpression(it) => {
                match text(&self.at(&it.expression, depth + 1)) {
                    Some(name) => {
                        let name = name.to_owned();
                        self.member_values(&it.object, &name, depth + 1)
                    }
                    None => vec![Value::Unknown],
                }
            }
            MemberExpression::PrivateFieldExpression(_) => vec![Value::Unknown],
        }
    }

    pub(super) fn member_values(
        &mut self,
        object: &'a Expression<'a>,
        name: &str,
        depth: usize,
    ) -> Values {
        let bases = self.at(object, depth);
        let mut values = Vec::new();
        for base in bases {
            if let Value::Dotted(module) = &base
                && self.modules.contains(module)
                && matches!(name, "then" | "catch" | "finally")
            {
                self.collector.dynamic(DynamicKind::ModuleValue, module);
            }
            add(&mut values, member(&base, name));
        }
        values
    }

    /// A sum of texts. A chain of sums hangs to the left and may be long.
    pub(super) fn sum(&mut self, sum: &'a BinaryExpression<'a>, depth: usize) -> Values {
        if sum.operator.as_str() != "+" {
            return vec![Value::Unknown];
        }
        let mut parts = vec![&sum.right];
        let mut left = &sum.left;
        while let Expression::BinaryExpression(inner) = left
            && inner.operator.as_str() == "+"
        {
            if parts.len() >= MAX_ARGUMENTS {
                self.collector.budget.values(MAX_ARGUMENTS / PARTS_PER_STEP);
                return vec![Value::Unknown];
            }
            parts.push(&inner.right);
            left = &inner.left;
        }
        parts.push(left);
        let mut total = Value::Text(String::new());
        for part in parts.into_iter().rev() {
            match text(&self.at(part, depth + 1)) {
                Some(text) => total = total.plus(&Value::Text(text.to_owned())),
                None => return vec![Value::Unknown],
            }
        }
        vec![total]
    }

    /// What a call gives.
    pub(super) fn result(&mut self, call: &'a CallExpression<'a>, depth: usize) -> Values {
        let functions = self.at(&call.callee, depth);
        let mut values = Vec::new();
        for function in functions {
            let name = match &function {
                Value::Dotted(name) => name.as_str(),
                Value::Text(_) | Value::List(_) | Value::Unknown => "",
            };
            if is_require(name) {
                let first = call.arguments.first().and_then(Argument::as_expression);
                let module = first.map(|first| self.at(first, depth + 1));
                let value = match module.as_deref().and_then(text) {
                    Some(name) => self.module_value(name),
                    None => Value::Unknown,
                };
                add(&mut values, value);
            } else if matches!(name, "util.promisify" | "Promise.resolve" | "Object.freeze") {
                let first = call.arguments.first().and_then(Argument::as_expression);
                for value in first
                    .map(|first| self.at(first, depth + 1))
                    .unwrap_or_default()
                {
                    add(&mut values, value);
                }
            } else if let Some(bound) = name.strip_suffix(".bind") {
                add(&mut values, Value::Dotted(bound.to_owned()));
            } else {
                add(&mut values, function.result());
            }
        }
        match values.is_empty() {
            true => vec![Value::Unknown],
            false => values,
        }
    }
}

/// A template without anything to put in.
fn plain(template: &oxc_ast::ast::TemplateLiteral<'_>) -> Value {
    match template.quasis.as_slice() {
        [only] if template.expressions.is_empty() => match &only.value.cooked {
            Some(text) => Value::Text(text.to_string()),
            None => Value::Unknown,
        },
        _ => Value::Unknown,
    }
}

/// Functions that load a module.
pub(super) fn is_require(name: &str) -> bool {
    matches!(
        name,
        "require"
            | "module.require"
            | "process.mainModule.require"
            | "process.getBuiltinModule"
            | "module.createRequire()"
            | "module.constructor._load"
            | "module._load"
            | "require.main.require"
    )
}

/// A module's name without the scheme of built-in ones.
pub(super) fn module(name: &str) -> String {
    name.strip_prefix("node:").unwrap_or(name).to_owned()
}

/// Objects that hold everything else.
pub(super) fn is_root(name: &str) -> bool {
    matches!(
        name,
        "globalThis" | "global" | "window" | "self" | "process" | "require" | "module"
    )
}

/// A member, where the ways to say the same are one.
pub(super) fn member(base: &Value, name: &str) -> Value {
    match (base, name) {
        (Value::Dotted(name), "default") if !name.contains('.') => base.clone(),
        _ => global(&base.member(name)),
    }
}

/// Global names without the object that holds them.
fn global(value: &Value) -> Value {
    if let Value::Dotted(name) = value
        && let Some(("globalThis" | "global" | "window" | "self", rest)) = name.split_once('.')
    {
        return Value::Dotted(rest.to_owned());
    }
    value.clone()
}
