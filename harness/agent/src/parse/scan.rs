//! Finds calls in a text while it is still being written.
//!
//! ```text
//!  Prose ──opener──► Body ──complete──► Closing ──closer──► Prose
//! ```
//!
//! A call is told when its last bracket closes, or its closing tag for those that have
//! no brackets. What was told stays told: nothing that comes later changes it.

use super::call::{self, Written};
use super::format::CallFormat;
use super::json::Completeness;
use super::{python, xml};
use crate::message::{ProposedCall, Tool};

/// Bytes of one call; more is an error that the model reads.
const MAX_CALL_BYTES: usize = 1024 * 1024;

/// Calls in one text; those after are told as an error.
const MAX_CALLS: usize = 128;

/// What a text holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The text without calls.
    pub prose: String,
    /// The calls, in their order.
    pub calls: Vec<ProposedCall>,
    /// What began like a call and is none: why, for the model to read.
    pub malformed: Vec<String>,
}

/// All calls of a whole text. Those get ids that begin with `prefix`.
#[must_use]
pub fn read(format: CallFormat, text: &str, tools: &[Tool], prefix: &str) -> Found {
    let mut scanner = Scanner::new(format, tools, prefix);
    scanner.push(text);
    scanner.end()
}

/// Reads one text.
#[derive(Debug)]
pub struct Scanner {
    format: CallFormat,
    tools: Vec<Tool>,
    prefix: String,
    state: State,
    found: Found,
    /// Where the present line of the prose begins.
    line_start: usize,
}

#[derive(Debug)]
enum State {
    Prose,
    /// Inside of a call.
    Body {
        text: String,
        progress: Progress,
    },
    /// After a call, until its closing tag.
    Closing {
        text: String,
    },
    /// Inside of what is no call, until its closing tag or the next opening one.
    Skipping {
        text: String,
    },
}

/// How the end of a call is found.
#[derive(Debug)]
enum Progress {
    Json(Completeness),
    Xml,
    Python(python::Brackets),
}

impl Scanner {
    /// For a text of a model that may call `tools`.
    #[must_use]
    pub fn new(format: CallFormat, tools: &[Tool], prefix: &str) -> Self {
        Self {
            format,
            tools: tools.to_vec(),
            prefix: prefix.to_owned(),
            state: State::Prose,
            found: Found::default(),
            line_start: 0,
        }
    }

    /// More text.
    pub fn push(&mut self, text: &str) {
        for c in text.chars() {
            self.one(c);
        }
    }

    /// The calls that are complete so far.
    #[must_use]
    pub fn calls(&self) -> &[ProposedCall] {
        &self.found.calls
    }

    /// The text is over.
    #[must_use]
    pub fn end(mut self) -> Found {
        match std::mem::replace(&mut self.state, State::Prose) {
            State::Prose | State::Skipping { .. } => {}
            State::Body {
                text,
                progress: Progress::Json(_),
            } if self.format == CallFormat::FencedJson && !call::looks_like_a_call(&text) => {
                self.found.prose.push_str("```json");
                self.found.prose.push_str(&text);
            }
            State::Body { .. } => self.malformed("a call is not finished"),
            State::Closing { text } => self.found.prose.push_str(text.trim_start()),
        }
        let prose = self.found.prose.trim().to_owned();
        Found {
            prose,
            ..self.found
        }
    }

    fn one(&mut self, c: char) {
        match &mut self.state {
            State::Prose => self.prose(c),
            State::Closing { text } => {
                text.push(c);
                self.closing();
            }
            State::Skipping { text } => {
                text.push(c);
                self.skipping();
            }
            State::Body { text, .. } => {
                text.push(c);
                if text.len() > MAX_CALL_BYTES {
                    self.state = State::Prose;
                    self.malformed("a call is too long");
                } else {
                    self.body(c);
                }
            }
        }
    }

    fn prose(&mut self, c: char) {
        self.found.prose.push(c);
        match self.format {
            CallFormat::Native => {}
            CallFormat::Hermes => self.open("<tool_call>"),
            CallFormat::FencedJson => self.open("```json"),
            CallFormat::AnthropicXml => {
                self.drop("<function_calls>");
                self.drop("</function_calls>");
                self.open("<invoke name=\"");
            }
            CallFormat::PythonCall => self.open_python(c),
        }
    }

    fn drop(&mut self, tag: &str) {
        if let Some(before) = self.found.prose.strip_suffix(tag) {
            self.found.prose.truncate(before.len());
        }
    }

    fn open(&mut self, opener: &str) {
        let Some(before) = self.found.prose.strip_suffix(opener) else {
            return;
        };
        self.found.prose.truncate(before.len());
        let progress = match self.format {
            CallFormat::AnthropicXml => Progress::Xml,
            CallFormat::Native
            | CallFormat::Hermes
            | CallFormat::FencedJson
            | CallFormat::PythonCall => Progress::Json(Completeness::default()),
        };
        self.state = State::Body {
            text: String::new(),
            progress,
        };
    }

    /// A line that begins with the name of a tool and a bracket.
    fn open_python(&mut self, c: char) {
        if c == '\n' {
            self.line_start = self.found.prose.len();
        }
        if c != '(' {
            return;
        }
        let line = self.found.prose.get(self.line_start..).unwrap_or_default();
        let name = line
            .trim_start()
            .trim_start_matches(['[', ',', ' '])
            .trim_end_matches('(');
        if self.tools.iter().any(|tool| tool.name == name) {
            let text = format!("{name}(");
            self.found.prose.truncate(self.line_start);
            let mut brackets = python::Brackets::default();
            brackets.push('(');
            self.state = State::Body {
                text,
                progress: Progress::Python(brackets),
            };
        }
    }

    fn body(&mut self, c: char) {
        let State::Body { text, progress } = &mut self.state else {
            return;
        };
        match progress {
            Progress::Json(scan) => {
                scan.push(c.encode_utf8(&mut [0; 4]));
                if scan.end().is_some() {
                    let text = std::mem::take(text);
                    self.json(text);
                } else if scan.is_hopeless() {
                    self.hopeless();
                }
            }
            Progress::Xml => {
                if let Some(body) = text.strip_suffix("</invoke>") {
                    let call = xml::read(body, &self.tools);
                    self.state = State::Prose;
                    self.told(call);
                }
            }
            Progress::Python(brackets) => {
                if brackets.push(c) {
                    let call = python::read(text);
                    self.state = State::Closing {
                        text: String::new(),
                    };
                    self.told(call);
                }
            }
        }
    }

    fn json(&mut self, text: String) {
        if self.format == CallFormat::FencedJson && !call::looks_like_a_call(&text) {
            // An object in a fence that is no call is a part of the answer.
            self.found.prose.push_str("```json");
            self.found.prose.push_str(&text);
            self.state = State::Prose;
            return;
        }
        self.state = State::Closing {
            text: String::new(),
        };
        self.told(call::from_json(&text));
    }

    /// Between the tags stands something that is no object.
    fn hopeless(&mut self) {
        let State::Body { text, .. } = &mut self.state else {
            return;
        };
        let text = std::mem::take(text);
        if self.format == CallFormat::FencedJson {
            self.found.prose.push_str("```json");
            self.found.prose.push_str(&text);
            self.state = State::Prose;
            return;
        }
        self.state = State::Skipping { text };
        self.malformed("between <tool_call> and </tool_call> must stand one JSON object");
    }

    /// After a call: skip its closing tag; give back what is none.
    fn closing(&mut self) {
        let State::Closing { text } = &mut self.state else {
            return;
        };
        let closers: &[&str] = match self.format {
            CallFormat::FencedJson => &["```"],
            CallFormat::PythonCall => &["]", ","],
            CallFormat::Native | CallFormat::Hermes | CallFormat::AnthropicXml => &["</tool_call>"],
        };
        let seen = text.trim_start();
        if closers.iter().any(|closer| seen.ends_with(closer)) {
            self.state = State::Prose;
            self.line_start = self.found.prose.len();
            return;
        }
        if closers.iter().any(|closer| closer.starts_with(seen)) {
            return;
        }
        let text = std::mem::take(text);
        self.state = State::Prose;
        self.line_start = self.found.prose.len();
        for c in text.chars() {
            self.one(c);
        }
    }

    fn skipping(&mut self) {
        let State::Skipping { text } = &mut self.state else {
            return;
        };
        if text.ends_with("</tool_call>") || text.len() > MAX_CALL_BYTES {
            self.state = State::Prose;
        } else if text.ends_with("<tool_call>") {
            let progress = Progress::Json(Completeness::default());
            self.state = State::Body {
                text: String::new(),
                progress,
            };
        }
    }

    fn told(&mut self, call: Result<Written, String>) {
        let number = self.found.calls.len();
        match call {
            _ if number >= MAX_CALLS => self.malformed("there are too many calls"),
            Ok(Written { name, arguments }) => self.found.calls.push(ProposedCall {
                id: format!("{}{number}", self.prefix),
                name,
                arguments,
                fault: None,
            }),
            Err(why) => self.malformed(&why),
        }
    }

    fn malformed(&mut self, why: &str) {
        if self.found.malformed.len() < MAX_CALLS {
            self.found.malformed.push(why.to_owned());
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn tools() -> Vec<Tool> {
        ["run", "look_up"]
            .map(|name| Tool {
                name: name.to_owned(),
                description: String::new(),
                parameters: json!({"properties": {"code": {"type": "string"}}}),
                repeatable: false,
                trusted: false,
            })
            .to_vec()
    }

    const FORMATS: [CallFormat; 4] = [
        CallFormat::Hermes,
        CallFormat::FencedJson,
        CallFormat::AnthropicXml,
        CallFormat::PythonCall,
    ];

    fn found(format: CallFormat, text: &str) -> Found {
        read(format, text, &tools(), "t")
    }

    fn pairs(found: &Found) -> Vec<(&str, &str)> {
        found
            .calls
            .iter()
            .map(|call| (call.name.as_str(), call.arguments.as_str()))
            .collect()
    }

    #[test]
    fn calls_of_each_format_are_found_between_prose() {
        let texts = [
            "Let me see.\n<tool_call>\n{\"name\": \"run\", \"arguments\": {\"code\": \"a}\"}}\n</tool_call>\n<tool_call>{\"name\":\"look_up\"}</tool_call>",
            "Let me see.\n```json\n{\"name\":\"run\",\"arguments\":{\"code\":\"a}\"}}\n```\n```json\n{\"tool\":\"look_up\",\"parameters\":{}}\n```",
            "Let me see.\n<function_calls><invoke name=\"run\"><parameter name=\"code\">a}</parameter></invoke>\n<invoke name=\"look_up\"></invoke></function_calls>",
            "Let me see.\n[run(code='a}'), look_up()]",
        ];
        for (format, text) in FORMATS.into_iter().zip(texts) {
            let found = found(format, text);
            assert_eq!(
                pairs(&found),
                [("run", r#"{"code":"a}"}"#), ("look_up", "{}")],
                "{text}"
            );
            assert_eq!(
                (found.prose.as_str(), found.malformed.len()),
                ("Let me see.", 0),
                "{text}"
            );
        }
    }

    #[test]
    fn a_call_is_told_before_its_closing_tag() {
        let mut scanner = Scanner::new(CallFormat::Hermes, &tools(), "t");
        scanner.push("<tool_call>{\"name\":\"run\",\"arguments\":{}");
        assert!(scanner.calls().is_empty());
        scanner.push("}");
        assert_eq!(scanner.calls().len(), 1);
    }

    #[test]
    fn what_is_no_call_is_an_error_that_says_why() {
        for (text, why) in [
            ("<tool_call>run(1)</tool_call> so", "one JSON object"),
            ("<tool_call>{\"arguments\":{}}</tool_call> so", "no `name`"),
            (
                "<tool_call>{\"name\":\"a\",\"name\":\"b\"}</tool_call> so",
                "stands twice",
            ),
            (
                "<tool_call>{\"name\":\"a\",\"arguments\":[]}</tool_call> so",
                "no object",
            ),
            ("so <tool_call>{\"name\":", "not finished"),
        ] {
            let found = found(CallFormat::Hermes, text);
            assert!(found.calls.is_empty());
            assert!(found.malformed[0].contains(why), "{found:?}");
            assert_eq!(found.prose, "so");
        }
    }

    #[test]
    fn a_fence_that_is_no_call_is_a_part_of_the_answer() {
        let text = "Here:\n```json\n{\"a\": 1}\n```\nand\n```json\n[1";
        assert_eq!(found(CallFormat::FencedJson, text).prose, text);
        let code = "```json\nnot json\n```";
        assert_eq!(found(CallFormat::FencedJson, code).prose, code);
    }

    #[test]
    fn a_function_that_is_no_tool_is_prose() {
        let text = "print(1)\nrun this: f(run)";
        assert_eq!(found(CallFormat::PythonCall, text).prose, text);
    }

    #[test]
    fn the_native_format_reads_nothing_out_of_a_text() {
        let text = "<tool_call>{\"name\":\"run\",\"arguments\":{}}</tool_call>";
        let found = found(CallFormat::Native, text);
        assert_eq!((found.prose.as_str(), found.calls.len()), (text, 0));
    }

    fn arguments() -> impl Strategy<Value = serde_json::Value> {
        let value = prop_oneof![
            "[ -~]{0,12}".prop_map(serde_json::Value::from),
            any::<i32>().prop_map(serde_json::Value::from),
            any::<bool>().prop_map(serde_json::Value::from),
            proptest::collection::vec(any::<u8>(), 0..3).prop_map(serde_json::Value::from),
        ];
        proptest::collection::btree_map("[a-z]{1,4}", value, 0..4)
            .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(all in proptest::collection::vec(arguments(), 1..4)) {
            for format in [CallFormat::Hermes, CallFormat::FencedJson, CallFormat::PythonCall] {
                let calls: Vec<_> = all.iter().enumerate().map(|(number, arguments)| ProposedCall {
                    id: format!("t{number}"),
                    name: "run".to_owned(),
                    arguments: crate::digest::canonical(arguments),
                    fault: None,
                }).collect();
                let written: Vec<_> = calls.iter().map(|call| format.write(call)).collect();
                let found = found(format, &written.join("\n"));
                prop_assert_eq!(&found.calls, &calls, "{:?}", format);
                prop_assert!(found.malformed.is_empty());
            }
        }

        #[test]
        fn where_a_text_is_cut_does_not_matter(
            parts in proptest::collection::vec(prop_oneof![
                Just("<tool_call>".to_owned()), Just("</tool_call>".to_owned()),
                Just("{\"name\":\"run\",\"arguments\":{}}".to_owned()), Just("```json".to_owned()),
                Just("```".to_owned()), Just("<invoke name=\"run\">".to_owned()),
                Just("</invoke>".to_owned()), Just("[run(a=1)]\n".to_owned()), "\\PC{0,6}",
            ], 0..10),
            cut in 0_usize..200,
        ) {
            let text = parts.concat();
            let cut = (0..=cut.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap();
            for format in FORMATS {
                let mut scanner = Scanner::new(format, &tools(), "t");
                scanner.push(&text[..cut]);
                let early = scanner.calls().to_vec();
                scanner.push(&text[cut..]);
                let all = scanner.end();
                prop_assert!(all.calls.starts_with(&early), "what was told stays told");
                prop_assert_eq!(all, found(format, &text));
            }
        }
    }
}
