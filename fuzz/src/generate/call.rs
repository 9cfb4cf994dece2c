//! Tool calls: mostly ones that a sandbox could run, with arguments that rules ask for.

use arbitrary::{Result, Unstructured};
use serde_json::{Map, Value, json};

use super::{several, word};

/// Levels of arrays and objects in an argument.
const MAX_LEVELS: u8 = 3;

/// A call as JSON.
pub fn call(u: &mut Unstructured<'_>) -> Result<Value> {
    let tool = *u.choose(&[
        "execute_code",
        "execute_code",
        "run_command",
        "run_command",
        "read_file",
        "a",
        "ab",
    ])?;
    let mut call = Map::new();
    call.insert("tool".to_owned(), json!(tool));
    call.insert(
        "principal".to_owned(),
        json!(u.choose(&["a", "ab", "x", "é"])?),
    );
    if u.arbitrary()? {
        call.insert("session".to_owned(), json!(u.choose(&["a", "b"])?));
    }
    call.insert("arguments".to_owned(), arguments(u)?);
    Ok(Value::Object(call))
}

/// A call whose arguments are text, as what cedar can judge.
pub fn plain_call(u: &mut Unstructured<'_>) -> Result<Value> {
    let mut arguments = Map::new();
    for key in ["a", "b"] {
        if u.arbitrary()? {
            arguments.insert(key.to_owned(), json!(word(u)?));
        }
    }
    let tool = *u.choose(&["a", "ab", "abc", "x"])?;
    let principal = *u.choose(&["a", "ab", "x", "é"])?;
    Ok(json!({"tool": tool, "principal": principal, "arguments": arguments}))
}

fn arguments(u: &mut Unstructured<'_>) -> Result<Value> {
    let mut arguments = Map::new();
    let mut put = |u: &mut Unstructured<'_>, key: &str, value: Value| -> Result<()> {
        // Now and then anything at all stands under a key.
        let value = if u.ratio(1, 10)? {
            anything(u, MAX_LEVELS)?
        } else {
            value
        };
        arguments.insert(key.to_owned(), value);
        Ok(())
    };
    if !u.ratio(1, 10)? {
        let language = json!(u.choose(&["python", "python", "javascript", "ruby"])?);
        put(u, "language", language)?;
    }
    if u.arbitrary()? {
        let code = json!(word(u)?);
        put(u, "code", code)?;
    }
    if u.ratio(1, 6)? {
        let limits = limits(u)?;
        put(u, "limits", limits)?;
    }
    if u.ratio(1, 10)? {
        put(u, "profile", json!("wide"))?;
    }
    if u.arbitrary()? {
        let command = json!(shell_text(u)?);
        put(u, "command", command)?;
        let path = json!(u.choose(&["/tmp/x", "a/../b", "~/x"])?);
        put(u, "path", path)?;
    }
    for key in ["a", "b", "n", "deep"] {
        if u.ratio(1, 2)? {
            let value = anything(u, MAX_LEVELS)?;
            put(u, key, value)?;
        }
    }
    Ok(Value::Object(arguments))
}

/// A few commands, joined.
fn shell_text(u: &mut Unstructured<'_>) -> Result<String> {
    const PIECES: &[&str] = &[
        "ls -la /tmp/x",
        "rm -rf ~/x",
        "git push",
        "git status",
        "cat < /tmp/x",
        "a > /tmp/x",
        "cat *",
        "$x",
        "eval \"$x\"",
        "sudo rm a",
        "PATH=/tmp/x ls",
        "a=1",
        "ls $(rm a)",
        "cat >> \"$f\"",
        "(",
        "find . -exec rm {} \\;",
        "f() { ls; }; f",
        "python3 -c 'x'",
        "rm --rec --force a",
        "rm --rec a",
        "rm -rf --recursive a",
        "curl http://10.1.2.3/a",
        "curl http://[fd00::1]/",
        "ssh 192.168.1.1 ls",
        "nc 2130706433 80",
        "curl http://[::ffff:10.1.2.3]/",
        "",
    ];
    let pieces = several(u, 1, 3, |u| u.choose(PIECES).copied())?;
    Ok(pieces.join(*u.choose(&["; ", " | ", " && ", "\n"])?))
}

fn limits(u: &mut Unstructured<'_>) -> Result<Value> {
    let key = *u.choose(&["wall_ms", "memory_bytes", "output_bytes", "x"])?;
    let value = u.choose(&[5_u64, 20_000, 0, u64::MAX, 60_000])?;
    Ok(json!({key: value}))
}

/// Any JSON value, but for numbers so close to each other that floats cannot tell them apart.
fn anything(u: &mut Unstructured<'_>, levels: u8) -> Result<Value> {
    Ok(match u.int_in_range(0..=if levels == 0 { 5 } else { 8 })? {
        0..=2 => json!(word(u)?),
        3 => number(u)?,
        4 => json!(u.arbitrary::<bool>()?),
        5 => u
            .choose(&[json!(null), json!([]), json!({}), json!("")])?
            .clone(),
        6 => Value::Array(several(u, 0, 4, |u| anything(u, levels - 1))?),
        _ => {
            let entries = several(u, 0, 3, |u| {
                let key = *u.choose(&["er", "est", "a b"])?;
                Ok((key.to_owned(), anything(u, levels - 1)?))
            })?;
            Value::Object(entries.into_iter().collect())
        }
    })
}

fn number(u: &mut Unstructured<'_>) -> Result<Value> {
    let numbers = [
        json!(0),
        json!(1),
        json!(1.0),
        json!(0.5),
        json!(-3),
        json!(-3.5),
        json!(u64::MAX),
    ];
    u.choose(&numbers).cloned()
}
