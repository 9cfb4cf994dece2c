//! What an expression of Python may stand for.

use ruff_python_ast::{self as ast, Expr};

use super::super::budget::{MAX_ARGUMENTS, MAX_VALUE_DEPTH, PARTS_PER_STEP};
use super::super::facts::DynamicKind;
use super::super::value::{Value, Values, add, text};
use super::{Reader, elements};

impl<'a> Reader<'a> {
    /// What an expression may stand for.
    pub(super) fn values(&mut self, expression: &'a Expr) -> Values {
        self.at(expression, 0)
    }

    fn at(&mut self, expression: &'a Expr, depth: usize) -> Values {
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

    fn followed(&mut self, expression: &'a Expr, depth: usize) -> Values {
        match expression {
            Expr::Name(name) => self.names.values(&name.id).iter().map(builtin).collect(),
            Expr::Attribute(attribute) => self.attribute_values(attribute, depth),
            Expr::Call(call) => self.result(call, depth),
            Expr::StringLiteral(string) => vec![Value::Text(string.value.to_str().to_owned())],
            Expr::BytesLiteral(bytes) => {
                let bytes: Vec<u8> = bytes.value.bytes().collect();
                vec![String::from_utf8(bytes).map_or(Value::Unknown, Value::Text)]
            }
            Expr::FString(string) => vec![plain(string)],
            Expr::BinOp(sum) if matches!(sum.op, ast::Operator::Add) => self.sum_at(sum, depth),
            Expr::Named(named) => self.at(&named.value, depth + 1),
            Expr::Await(awaited) => self.at(&awaited.value, depth + 1),
            Expr::If(choice) => self.any([choice.body.as_ref(), &choice.orelse], depth),
            Expr::BoolOp(choice) => self.any(&choice.values, depth),
            Expr::Subscript(subscript) => self.subscript_values(subscript, depth),
            Expr::List(_) | Expr::Tuple(_) => vec![self.list(expression, depth)],
            _ => vec![Value::Unknown],
        }
    }

    /// The value is one of these.
    fn any(&mut self, options: impl IntoIterator<Item = &'a Expr>, depth: usize) -> Values {
        let mut values = Vec::new();
        for option in options {
            for value in self.at(option, depth + 1) {
                if !add(&mut values, value) {
                    let about = "a choice of many";
                    self.collector.dynamic(DynamicKind::ManyMeanings, about);
                    return values;
                }
            }
        }
        values
    }

    /// A list whose elements are texts.
    fn list(&mut self, expression: &'a Expr, depth: usize) -> Value {
        let elements = elements(expression).unwrap_or(&[]);
        if elements.len() > MAX_ARGUMENTS {
            return Value::Unknown;
        }
        let mut texts = Vec::with_capacity(elements.len());
        for element in elements {
            match text(&self.at(element, depth + 1)) {
                Some(text) => texts.push(text.to_owned()),
                None => return Value::Unknown,
            }
        }
        Value::List(texts)
    }

    pub(super) fn sum(&mut self, sum: &'a ast::ExprBinOp) -> Values {
        self.sum_at(sum, 0)
    }

    /// A chain of sums hangs to the left and may be long: only its end is followed.
    fn sum_at(&mut self, sum: &'a ast::ExprBinOp, depth: usize) -> Values {
        let mut parts: Vec<&'a Expr> = vec![&sum.right];
        let mut left: &'a Expr = &sum.left;
        while let Expr::BinOp(inner) = left
            && matches!(inner.op, ast::Operator::Add)
        {
            if parts.len() >= MAX_ARGUMENTS {
                self.collector.budget.values(MAX_ARGUMENTS / PARTS_PER_STEP);
                return vec![Value::Unknown];
            }
            parts.push(&inner.right);
            left = &inner.left;
        }
        self.collector.budget.values(parts.len() / PARTS_PER_STEP);
        let mut total: Option<Value> = text(&self.at(left, depth + 1)).map(known);
        while let (Some(before), Some(part)) = (total.take(), parts.pop()) {
            total = text(&self.at(part, depth + 1)).map(|text| before.plus(&known(text)));
            if parts.is_empty() {
                break;
            }
        }
        vec![total.unwrap_or(Value::Unknown)]
    }

    pub(super) fn attribute_values(
        &mut self,
        attribute: &'a ast::ExprAttribute,
        depth: usize,
    ) -> Values {
        let bases = self.at(&attribute.value, depth + 1);
        let mut values = Vec::new();
        for base in bases {
            add(&mut values, member(&base, &attribute.attr));
        }
        values
    }

    /// An element of a table of names.
    pub(super) fn subscript_values(
        &mut self,
        subscript: &'a ast::ExprSubscript,
        depth: usize,
    ) -> Values {
        let bases = self.at(&subscript.value, depth + 1);
        let mut values = Vec::new();
        for base in bases {
            let Value::Dotted(name) = &base else {
                continue;
            };
            if !is_table(name) {
                continue;
            }
            let key = self.at(&subscript.slice, depth + 1);
            let Some(key) = text(&key) else {
                continue;
            };
            add(&mut values, entry(name, key));
        }
        match values.is_empty() {
            true => vec![Value::Unknown],
            false => values,
        }
    }

    /// What a call gives.
    pub(super) fn result(&mut self, call: &'a ast::ExprCall, depth: usize) -> Values {
        let functions = self.at(&call.func, depth + 1);
        let mut values = Vec::new();
        for function in functions {
            let name = match &function {
                Value::Dotted(name) => name.as_str(),
                Value::Text(_) | Value::List(_) | Value::Unknown => "",
            };
            match name {
                "__import__" | "importlib.import_module" | "importlib.__import__" => {
                    let module = self.argument_text(call, 0, "name", depth);
                    add(&mut values, module.map_or(Value::Unknown, Value::Dotted));
                }
                "getattr" => {
                    let attribute = self.argument_text(call, 1, "name", depth);
                    let bases = match call.arguments.find_argument_value("object", 0) {
                        Some(base) => self.at(base, depth + 1),
                        None => vec![Value::Unknown],
                    };
                    for base in bases {
                        let found = attribute.as_deref().map(|name| member(&base, name));
                        add(&mut values, found.unwrap_or(Value::Unknown));
                    }
                }
                _ => {
                    add(&mut values, function.result());
                }
            }
        }
        values
    }

    /// The text that an argument must be.
    pub(super) fn argument_text(
        &mut self,
        call: &'a ast::ExprCall,
        position: usize,
        name: &str,
        depth: usize,
    ) -> Option<String> {
        let argument = call.arguments.find_argument_value(name, position)?;
        text(&self.at(argument, depth + 1)).map(ToOwned::to_owned)
    }
}

fn known(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// An f-string without anything to put in.
fn plain(string: &ast::ExprFString) -> Value {
    let mut joined = String::new();
    for part in string.value.iter() {
        match part {
            ast::FStringPart::Literal(literal) => joined.push_str(&literal.value),
            ast::FStringPart::FString(inner) => {
                for element in &inner.elements {
                    match element {
                        ast::InterpolatedStringElement::Literal(literal) => {
                            joined.push_str(&literal.value);
                        }
                        ast::InterpolatedStringElement::Interpolation(_) => return Value::Unknown,
                    }
                }
            }
        }
    }
    Value::Text(joined)
}

/// A member, where the ways to say the same are one.
pub(super) fn member(base: &Value, name: &str) -> Value {
    if let Value::Dotted(module) = base
        && !module.contains('(')
        && let Some(own) = imported_by_others(name)
        && module != own
    {
        return Value::Dotted(own.to_owned());
    }
    match name {
        "__call__" => base.clone(),
        name => builtin(&base.member(name)),
    }
}

/// Modules that other modules import, so that they are members there too: `shutil.os` is `os`.
pub(super) const EVERYWHERE: &[&str] = &[
    "builtins",
    "ctypes",
    "importlib",
    "marshal",
    "os",
    "pickle",
    "posix",
    "pty",
    "shutil",
    "socket",
    "subprocess",
    "sys",
];

/// The module that a member of this name is, whatever module it is taken from.
fn imported_by_others(name: &str) -> Option<&str> {
    let own = name.trim_start_matches('_');
    (EVERYWHERE.contains(&own) && !name.ends_with("__")).then_some(own)
}

/// Built-in names without the module that holds them.
fn builtin(value: &Value) -> Value {
    if let Value::Dotted(name) = value
        && let Some(("builtins" | "__builtins__" | "__builtin__", rest)) = name.split_once('.')
    {
        return Value::Dotted(rest.to_owned());
    }
    value.clone()
}

/// Whether a name stands for a table of names.
pub(super) fn is_table(name: &str) -> bool {
    let known = matches!(
        name,
        "globals()" | "locals()" | "vars()" | "__builtins__" | "sys.modules" | "__dict__"
    );
    known || name.ends_with(".__dict__") || name.ends_with(".__globals__")
}

/// What a table of names has under a key.
fn entry(table: &str, key: &str) -> Value {
    let owner = table.strip_suffix(".__dict__");
    match owner {
        Some(owner) => member(&Value::Dotted(owner.to_owned()), key),
        None => Value::Dotted(key.to_owned()),
    }
}
