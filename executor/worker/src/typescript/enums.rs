//! An enum as the object that it is at run time, member by member in its own place:
//!
//! ```text
//! enum Level { Low, High = 5 }
//! var Level = ((Level) => ([ Level[Level["Low"] = 0] = "Low", … ], Level))(Level || {});
//! ```

use oxc_ast::ast::{
    Expression, IdentifierReference, TSEnumDeclaration, TSEnumMember, TSEnumMemberName,
    UnaryOperator,
};
use oxc_ast_visit::Visit;
use oxc_span::{GetSpan, Span};

use super::Refused;
use super::edits::Edits;

/// What the next member without a value is.
enum Next {
    Number(f64),
    After(String),
    Unknown,
}

/// Rewrite an enum; its initialisers are left in the text, for the caller to visit.
pub(super) fn rewrite(it: &TSEnumDeclaration<'_>, edits: &mut Edits) -> Result<(), Refused> {
    let name = it.id.name.as_str();
    let head = Span::new(it.span.start, it.body.span.start + 1);
    edits.replace(head, format!("var {name} = (({name}) => (["));
    let members = names(it)?;
    let mut next = Next::Number(0.0);
    for (member, key) in it.body.members.iter().zip(&members) {
        next = rewrite_member(name, member, key, next, edits)?;
        if let Some(value) = &member.initializer {
            let mut inside = Inside {
                name,
                members: &members,
                edits,
            };
            inside.visit_expression(value);
        }
    }
    let tail = Span::new(it.body.span.end - 1, it.body.span.end);
    edits.replace(tail, format!("], {name}))({name} || {{}});"));
    Ok(())
}

fn names(it: &TSEnumDeclaration<'_>) -> Result<Vec<String>, Refused> {
    let mut names = Vec::with_capacity(it.body.members.len());
    for member in &it.body.members {
        names.push(match &member.id {
            TSEnumMemberName::Identifier(id) => id.name.to_string(),
            TSEnumMemberName::String(text) | TSEnumMemberName::ComputedString(text) => {
                text.value.to_string()
            }
            TSEnumMemberName::ComputedTemplateString(text) => {
                return Err(Refused::unsupported(
                    "template as the name of an enum's member",
                    "write a string",
                    text.span.start,
                ));
            }
        });
    }
    Ok(names)
}

fn rewrite_member(
    name: &str,
    member: &TSEnumMember<'_>,
    key: &str,
    next: Next,
    edits: &mut Edits,
) -> Result<Next, Refused> {
    let key = quoted(key);
    let place = format!("{name}[{key}]");
    let Some(value) = &member.initializer else {
        let (value, after) = follow(next, &place, member)?;
        edits.replace(member.span, format!("{name}[{place} = {value}] = {key}"));
        return Ok(after);
    };
    let lead = Span::new(member.span.start, value.span().start);
    if is_text(value) {
        edits.replace(lead, format!("{place} = "));
        return Ok(Next::Unknown);
    }
    edits.replace(lead, format!("typeof ({place} = "));
    edits.insert(
        member.span.end,
        format!(") === \"string\" || ({name}[{place}] = {key})"),
    );
    Ok(number(value).map_or(Next::After(place), |number| Next::Number(number + 1.0)))
}

/// The value of a member that gives none, and what follows it.
fn follow(next: Next, place: &str, member: &TSEnumMember<'_>) -> Result<(String, Next), Refused> {
    match next {
        Next::Number(number) => Ok((number.to_string(), Next::Number(number + 1.0))),
        Next::After(before) => Ok((format!("{before} + 1"), Next::After(place.to_owned()))),
        Next::Unknown => Err(Refused::new(
            "an enum member after one with a text must have a value",
            member.span.start,
        )),
    }
}

fn is_text(value: &Expression<'_>) -> bool {
    matches!(
        value,
        Expression::StringLiteral(_) | Expression::TemplateLiteral(_)
    )
}

fn number(value: &Expression<'_>) -> Option<f64> {
    match value {
        Expression::NumericLiteral(literal) => Some(literal.value),
        Expression::UnaryExpression(unary) if unary.operator == UnaryOperator::UnaryNegation => {
            number(&unary.argument).map(|number| -number)
        }
        _ => None,
    }
}

/// A name as a string of JavaScript.
fn quoted(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 2);
    text.push('"');
    for character in name.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            _ => text.push(character),
        }
    }
    text.push('"');
    text
}

/// Members that an initialiser names without the enum.
struct Inside<'e> {
    name: &'e str,
    members: &'e [String],
    edits: &'e mut Edits,
}

impl<'a> Visit<'a> for Inside<'_> {
    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        if self.members.iter().any(|member| member == it.name.as_str()) {
            self.edits.insert(it.span.start, format!("{}.", self.name));
        }
    }
}
