//! Texts near ones that mean something: a policy with a few pieces changed.

use arbitrary::{Result, Unstructured};

use super::{rules, several};

/// Pieces that matter to a reader of policies.
const PIECES: &[&str] = &[
    "[[rule]]\n",
    "[[rule.test]]\n",
    "match = ",
    "unless = ",
    "when = 'exists session'\n",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "'''",
    "\n",
    "=",
    ",",
    ".",
    "#",
    "call = { tool = \"execute_code\" }\n",
    "verdict = \"deny\"\n",
    "matches = true\n",
    "expires = 2026-01-01\n",
    "mode = \"shadow\"\n",
    "include = [\"a.toml\"]\n",
    "[lists]\nl = [1]\n",
    "{ list = \"l\" }",
    "nan",
    "inf",
    "-1",
    "1e400",
    "9223372036854775807",
    "0x10",
    "\\u0000",
    "\u{0}",
    "\u{feff}",
    "é",
    "arguments.\"a b\"",
    "(a{1000}){1000}",
    "obligations.limits = { wall_ms = 1 }\n",
    "version = 2\n",
    "[[tool]]\nname = \"t\"\nroles = { a = \"shell\" }\nschema = { type = \"object\" }\n",
    "[[budget]]\nid = \"b\"\nper = \"session\"\nmost = { calls = 1 }\nreason = \"r\"\n",
    "\"command.flags\" = { any = \"-rf\" }",
    "{ any = { cidr = \"10.0.0.0/8\" } }",
    "{ any = { all = \"a\" } }",
];

/// A policy that is valid but for a few changes; now and then without any.
pub fn near_policy(u: &mut Unstructured<'_>) -> Result<String> {
    let rules = rules::rules(u)?;
    let mut text = match u.ratio(1, 4)? {
        true => policy::shipped::CONTAIN.text.to_owned(),
        false => rules::file(&rules),
    };
    for edit in several(u, 0, 4, |u| {
        Ok((
            u.arbitrary::<u16>()?,
            u.arbitrary::<u8>()?,
            u.choose(PIECES)?,
        ))
    })? {
        change(&mut text, edit);
    }
    Ok(text)
}

/// Puts a piece into the text, over some of its bytes.
fn change(text: &mut String, (at, over, piece): (u16, u8, &&str)) {
    let at = usize::from(at) % (text.len() + 1);
    let start = text.floor_char_boundary(at);
    let end = text.floor_char_boundary((start + usize::from(over % 16)).min(text.len()));
    text.replace_range(start..end.max(start), piece);
}
