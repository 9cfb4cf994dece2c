//! The tools as a server of the Model Context Protocol, on a pair of streams.
//!
//! Every call goes the one way that all calls go, [`Harness::execute`]. What the policy does not
//! let run, and a program that fails, are results that the model can read and act on; an error of
//! the protocol is for what is no tool of ours. Nothing is listed that cannot run on this host.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use executor::{Ending, OutFile, Outcome, Stream};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::book::Whereabouts;
use crate::core::{CallError, Executed, Harness, Offers};
use crate::reply::{Denial, Reply};

/// Who calls: whoever started the server.
const PRINCIPAL: &str = "mcp";

/// What a model is told about the whole.
const INSTRUCTIONS: &str = "Programs run in a sandbox that is made for each call and thrown away \
    after it: no network, no files of the host, nothing left from an earlier call. Hand files in \
    with `files`, and name those that you want back in `collect`. A call that a policy refuses \
    says why and what to do.";

/// An image that a program made is shown to the model when it is at most this long.
const MAX_IMAGE_BYTES: usize = 1 << 20;

/// The ending of names of images that models look at, and their media types.
const IMAGES: [(&str, &str); 4] = [
    (".png", "image/png"),
    (".jpg", "image/jpeg"),
    (".gif", "image/gif"),
    (".webp", "image/webp"),
];

/// One client's server.
pub struct McpServer {
    harness: Harness,
    /// Budgets and labels are counted for the life of the client.
    session: String,
    offers: Offers,
}

/// Why the conversation could not begin or ended.
#[derive(Debug, thiserror::Error)]
pub enum McpError {
    /// The other side does not speak the protocol.
    #[error("the client did not begin as the Model Context Protocol does: {0}")]
    Handshake(String),
    /// A task of ours broke off.
    #[error("the server broke off: {0}")]
    Broken(String),
}

impl McpServer {
    /// A server for one client, with the tools that can run here.
    pub async fn new(harness: Harness) -> Self {
        let offers = harness.offers().await;
        Self {
            harness,
            session: format!("mcp-{}", uuid::Uuid::now_v7()),
            offers,
        }
    }

    /// Talk until the other side closes its stream.
    ///
    /// # Errors
    /// When the other side does not speak the protocol, or a task of ours broke off.
    pub async fn serve(
        self,
        from: impl AsyncRead + Send + Unpin + 'static,
        to: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Result<(), McpError> {
        let running = ServiceExt::<RoleServer>::serve(self, (from, to))
            .await
            .map_err(|error| McpError::Handshake(error.to_string()))?;
        let ended = running.waiting().await;
        ended
            .map(drop)
            .map_err(|error| McpError::Broken(error.to_string()))
    }

    fn tools(&self) -> Vec<Tool> {
        let code =
            (!self.offers.languages.is_empty()).then(|| execute_code(&self.offers.languages));
        let command = self.offers.commands.then(run_command);
        code.into_iter().chain(command).collect()
    }
}

impl ServerHandler for McpServer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("lazaret", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let tools = self.tools();
        if !tools.iter().any(|tool| tool.name == request.name) {
            let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
            return Err(ErrorData::invalid_params(
                format!("no tool `{}`; there are {}", request.name, names.join(", ")),
                None,
            ));
        }
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let whereabouts = Whereabouts {
            session: Some(&self.session),
            turn: None,
        };
        let cancel = self.harness.cancel_handle();
        let call = self.harness.execute(
            &request.name,
            arguments,
            PRINCIPAL,
            whereabouts,
            cancel.clone(),
        );
        tokio::pin!(call);
        let executed = tokio::select! {
            executed = &mut call => executed,
            () = context.ct.cancelled() => {
                // Its outcome is recorded all the same, and is the answer.
                cancel.cancel();
                call.await
            }
        };
        Ok(answer(executed).into())
    }
}

// ---- tools --------------------------------------------------------------------------------------

fn execute_code(languages: &BTreeSet<String>) -> Tool {
    let language = json!({
        "type": "string",
        "enum": languages,
        "description": "Language of the program",
    });
    let code = json!({ "type": "string", "description": "The program; what it prints comes back" });
    let schema = schema("language", language, "code", code);
    annotated(
        Tool::new(
            "execute_code",
            "Run a program in a fresh sandbox and get what it printed, how it ended and the files \
             that it made.",
            schema,
        ),
        "Run code in a sandbox",
    )
}

fn run_command() -> Tool {
    let command = json!({ "type": "string", "description": "The command, as bash reads it" });
    let directory = json!({
        "type": "string",
        "description": "Where it starts; relative to the workspace",
    });
    let mut schema = schema("command", command, "directory", directory);
    schema.insert("required".to_owned(), json!(["command"]));
    annotated(
        Tool::new(
            "run_command",
            "Run a shell command in a fresh container and get what it printed, how it ended and \
             the files that it made.",
            schema,
        ),
        "Run a command in a sandbox",
    )
}

/// Nothing outside of the sandbox changes by a call.
fn annotated(tool: Tool, title: &str) -> Tool {
    let annotations = ToolAnnotations::with_title(title)
        .destructive(false)
        .open_world(false);
    tool.with_annotations(annotations)
}

/// What both tools take, and two properties of their own, which are required.
fn schema(first: &str, of_first: Value, second: &str, of_second: Value) -> Map<String, Value> {
    let schema = json!({
        "type": "object",
        "properties": {
            first: of_first,
            second: of_second,
            "args": { "type": "array", "items": { "type": "string" } },
            "stdin": { "type": "string", "description": "All of its standard input" },
            "files": {
                "type": "array",
                "description": "Files that it finds in its workspace, where it starts",
                "items": {
                    "type": "object",
                    "properties": {
                        "path": { "type": "string", "description": "Relative to the workspace" },
                        "content": { "type": "string" },
                        "content_base64": { "type": "string" },
                    },
                    "required": ["path"],
                    "additionalProperties": false,
                },
            },
            "collect": {
                "type": "array",
                "items": { "type": "string" },
                "description": "Globs of the files that are wanted back, such as `*.csv` or `**`",
            },
            "limits": {
                "type": "object",
                "properties": { "wall_ms": { "type": "integer" }, "memory_bytes": { "type": "integer" } },
                "additionalProperties": false,
            },
        },
        "required": [first, second],
        "additionalProperties": false,
    });
    match schema {
        Value::Object(schema) => schema,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

// ---- answers ------------------------------------------------------------------------------------

fn answer(executed: Result<Executed, CallError>) -> CallToolResult {
    match executed {
        Ok(Executed::Done(reply)) => done(&reply),
        Ok(Executed::Refused(denial)) => refused(&denial),
        Err(error) => CallToolResult::error(vec![ContentBlock::text(error.to_string())]),
    }
}

fn refused(denial: &Denial) -> CallToolResult {
    let refusal = denial.refusal();
    let rules: Vec<&str> = refusal.rules().iter().map(|rule| rule.id()).collect();
    let next_steps = refusal.next_steps();
    let text = format!(
        "{}: {} (rules: {})\n{}",
        refusal.verdict().as_str(),
        refusal.reason(),
        rules.join(", "),
        next_steps.join("\n"),
    );
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    result.structured_content = Some(json!({
        "call_id": refusal.call_id().to_string(),
        "verdict": refusal.verdict(),
        "reason": refusal.reason(),
        "rules": rules,
        "next_steps": next_steps,
        "ledger": { "decision": denial.decision_seq() },
    }));
    result
}

/// The text is what a model reads; the structure is the same for programs, and names the records
/// in the ledger, where the receipt is.
fn done(reply: &Reply) -> CallToolResult {
    let outcome = reply.outcome();
    let text = ContentBlock::text(told(outcome));
    let images = outcome.files.iter().filter_map(image);
    let content = std::iter::once(text).chain(images).collect();
    let mut result = match outcome.ending {
        Ending::Exited(0) => CallToolResult::success(content),
        Ending::Exited(_)
        | Ending::TimedOut
        | Ending::OutOfMemory
        | Ending::OutOfFuel
        | Ending::Killed(_)
        | Ending::LaunchFailed(_)
        | Ending::Cancelled => CallToolResult::error(content),
    };
    result.structured_content = Some(json!({
        "call_id": reply.call_id().to_string(),
        "verdict": "allow",
        "ending": outcome.ending.name(),
        "detail": outcome.ending.detail(),
        "exit_code": outcome.ending.exit_code(),
        "stdout": lossy(&outcome.stdout),
        "stderr": lossy(&outcome.stderr),
        "files": outcome.files.iter().map(file).collect::<Vec<_>>(),
        "files_left_out": outcome.left_out,
        "usage": outcome.usage,
        "budgets": reply.remaining(),
        "ledger": { "decision": reply.decision_seq(), "outcome": reply.outcome_seq() },
    }));
    result
}

/// Output first, then whatever is not as usual.
fn told(outcome: &Outcome) -> String {
    let mut text = lossy(&outcome.stdout).into_owned();
    let mut add = |line: String| {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&line);
    };
    if !outcome.stderr.bytes.is_empty() {
        add(format!("[stderr]\n{}", lossy(&outcome.stderr)));
    }
    for (name, stream) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
        if stream.truncated {
            add(format!("[{name} was cut at {} bytes]", stream.bytes.len()));
        }
    }
    match (&outcome.ending, outcome.ending.detail()) {
        (Ending::Exited(0), _) => {}
        (Ending::Exited(status), _) => add(format!("[ended with status {status}]")),
        (ending, None) => add(format!("[{}]", ending.name())),
        (ending, Some(detail)) => add(format!("[{}: {detail}]", ending.name())),
    }
    for file in &outcome.files {
        add(format!(
            "[file {}, {} bytes]",
            file.path,
            file.content.len()
        ));
    }
    for file in &outcome.left_out {
        add(format!(
            "[file {} was left out: {}]",
            file.path, file.reason
        ));
    }
    text
}

fn lossy(stream: &Stream) -> Cow<'_, str> {
    String::from_utf8_lossy(&stream.bytes)
}

fn image(file: &OutFile) -> Option<ContentBlock> {
    let name = file.path.to_ascii_lowercase();
    let (_, media_type) = IMAGES.iter().find(|(ending, _)| name.ends_with(ending))?;
    (file.content.len() <= MAX_IMAGE_BYTES)
        .then(|| ContentBlock::image(BASE64.encode(&file.content), *media_type))
}

/// As text where it is text.
fn file(file: &OutFile) -> Value {
    match std::str::from_utf8(&file.content) {
        Ok(text) => json!({ "path": file.path, "content": text }),
        Err(_) => json!({ "path": file.path, "content_base64": BASE64.encode(&file.content) }),
    }
}
