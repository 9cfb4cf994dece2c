//! Tools that a policy knows: the schema of their arguments, and what each argument is.
//!
//! Six tools are always there; `[[tool]]` in a policy file adds others. A tool that nobody
//! declared has no schema and no roles: rules see its raw arguments and nothing more. Schemas are
//! compiled without a network or file system behind `$ref`, and their patterns run in linear time.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jsonschema::{PatternOptions, Validator};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use crate::text::quote;

/// The tool that runs shell texts.
pub const COMMAND_TOOL: &str = "run_command";

/// The tool that a request of a container is judged as, by the egress proxy.
pub const REQUEST_TOOL: &str = "http_request";

/// Arguments with a role, of one tool: more is no tool but a form.
const MAX_ROLES: usize = 32;

/// The bytes of one schema in its canonical form.
const MAX_SCHEMA_BYTES: usize = 256 << 10;

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// A text that a shell runs.
    Shell,
    /// Code in the language that the argument `language` names.
    Code,
    /// A path of a file or directory.
    Path,
    /// A URL or a host.
    Url,
}

impl Role {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Code => "code",
            Self::Path => "path",
            Self::Url => "url",
        }
    }
}

/// One tool.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    roles: Vec<(String, Role)>,
    schema: Option<Arc<Validator>>,
    /// For the policy's digest.
    meaning: Value,
}

/// Why a tool's declaration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ToolError {
    /// A tool that is always there.
    #[error("{} is built in and cannot be declared again; choose another name", quote(.0))]
    BuiltIn(String),
    /// Two of one name.
    #[error("the tool {} is declared twice; remove one", quote(.0))]
    Twice(String),
    /// Not a name that tools have.
    #[error("{} is not a tool name; use 1 to 128 of A-Z a-z 0-9 _ . -", quote(.0))]
    Name(String),
    /// Something that is no schema.
    #[error(
        "the schema of the tool cannot be used ({0}); write JSON Schema 2020-12 without references to other documents"
    )]
    Schema(String),
    /// More than the bound.
    #[error("a schema has at most {MAX_SCHEMA_BYTES} bytes; this one is longer")]
    LongSchema,
    /// More than the bound.
    #[error("a tool has at most {MAX_ROLES} arguments with a role; this one has more")]
    ManyRoles,
}

impl Tool {
    pub(crate) fn new(
        roles: BTreeMap<String, Role>,
        schema: Option<&Value>,
    ) -> Result<Self, ToolError> {
        if roles.len() > MAX_ROLES {
            return Err(ToolError::ManyRoles);
        }
        let named: BTreeMap<&String, &str> = roles
            .iter()
            .map(|(key, role)| (key, role.as_str()))
            .collect();
        Ok(Self {
            meaning: json!({"roles": named, "schema": schema}),
            schema: schema.map(validator).transpose()?.map(Arc::new),
            roles: roles.into_iter().collect(),
        })
    }

    pub(crate) fn roles(&self) -> impl Iterator<Item = (&str, Role)> {
        self.roles.iter().map(|(key, role)| (key.as_str(), *role))
    }

    /// The first thing in the arguments that is not as the schema has it.
    pub(crate) fn misfit(&self, arguments: &Value) -> Option<String> {
        let schema = self.schema.as_ref()?;
        if schema.is_valid(arguments) {
            return None;
        }
        let error = schema.validate(arguments).err()?;
        let place = error.instance_path().to_string();
        Some(match place.as_str() {
            "" => quote(&error.to_string()),
            place => format!("{}: {}", quote(place), quote(&error.to_string())),
        })
    }
}

fn validator(schema: &Value) -> Result<Validator, ToolError> {
    if crate::json::canonical(schema).len() > MAX_SCHEMA_BYTES {
        return Err(ToolError::LongSchema);
    }
    jsonschema::options()
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .map_err(|error| ToolError::Schema(error.to_string()))
}

/// The tools of a policy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tools {
    declared: BTreeMap<String, Tool>,
}

impl Tools {
    pub(crate) fn get(&self, name: &str) -> Option<&Tool> {
        self.declared.get(name).or_else(|| BUILT_IN.get(name))
    }

    pub(crate) fn add(&mut self, name: &str, tool: Tool) -> Result<(), ToolError> {
        if !crate::call::is_tool_name(name) {
            return Err(ToolError::Name(name.to_owned()));
        }
        if BUILT_IN.contains_key(name) {
            return Err(ToolError::BuiltIn(name.to_owned()));
        }
        match self.declared.insert(name.to_owned(), tool) {
            None => Ok(()),
            Some(_) => Err(ToolError::Twice(name.to_owned())),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.declared.is_empty()
    }

    /// For the policy's digest.
    pub(crate) fn meaning(&self) -> Value {
        let tools = self.declared.iter();
        Value::Object(
            tools
                .map(|(name, tool)| (name.clone(), tool.meaning.clone()))
                .collect(),
        )
    }
}

/// The tools that are always there. `execute_code` has no schema: what its arguments must be is
/// said, with better words, where its authority is resolved.
static BUILT_IN: LazyLock<BTreeMap<&'static str, Tool>> = LazyLock::new(|| {
    let text = json!({"type": "string"});
    let path = json!({"type": "object", "required": ["path"], "properties": {"path": text}});
    let command = json!({
        "type": "object",
        "required": ["command"],
        "properties": {"command": text, "directory": text, "stdin": text},
    });
    let request = json!({"type": "object", "required": ["url"], "properties": {"url": text}});
    let tools = [
        ("execute_code", vec![("code", Role::Code)], None),
        (
            COMMAND_TOOL,
            vec![("command", Role::Shell), ("directory", Role::Path)],
            Some(command),
        ),
        ("read_file", vec![("path", Role::Path)], Some(path.clone())),
        ("write_file", vec![("path", Role::Path)], Some(path.clone())),
        ("list_files", vec![("path", Role::Path)], Some(path)),
        (REQUEST_TOOL, vec![("url", Role::Url)], Some(request)),
    ];
    let made = tools.into_iter().filter_map(|(name, roles, schema)| {
        let roles = roles.into_iter().map(|(key, role)| (key.to_owned(), role));
        Some((name, Tool::new(roles.collect(), schema.as_ref()).ok()?))
    });
    made.collect()
});

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn built_in_tools_are_all_there() {
        let names: Vec<&str> = BUILT_IN.keys().copied().collect();
        assert_eq!(
            names,
            [
                "execute_code",
                "http_request",
                "list_files",
                "read_file",
                "run_command",
                "write_file"
            ]
        );
    }

    #[test]
    fn a_schema_without_a_world_behind_it() {
        let tool = |schema: Value| Tool::new(BTreeMap::new(), Some(&schema));
        for bad in [
            json!({"type": "nothing"}),
            json!({"$ref": "http://127.0.0.1:1/schema.json"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!({"pattern": "(?=a)b"}),
        ] {
            assert!(
                matches!(tool(bad.clone()), Err(ToolError::Schema(_))),
                "{bad}"
            );
        }
        let tool =
            tool(json!({"properties": {"n": {"type": "integer"}}, "additionalProperties": false}))
                .unwrap();
        assert_eq!(tool.misfit(&json!({"n": 1})), None);
        assert!(tool.misfit(&json!({"n": "1"})).unwrap().contains("/n"));
        assert!(tool.misfit(&json!({"m": "1"})).is_some());
    }

    #[test]
    fn a_tool_is_declared_once() {
        let mut tools = Tools::default();
        let tool = || Tool::new(BTreeMap::new(), None).unwrap();
        assert_eq!(tools.add("fetch", tool()), Ok(()));
        assert_eq!(
            tools.add("fetch", tool()),
            Err(ToolError::Twice("fetch".into()))
        );
        assert_eq!(
            tools.add("run_command", tool()),
            Err(ToolError::BuiltIn("run_command".into()))
        );
        assert_eq!(tools.add("a b", tool()), Err(ToolError::Name("a b".into())));
    }
}
