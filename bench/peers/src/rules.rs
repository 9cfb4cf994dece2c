//! The rules and calls that every contender gets, before anybody's language.
//!
//! One rule in ten denies what begins a path, three hold what a team does with a project, six
//! allow a project, as in a policy of many teams. Cedar, Rego and CEL have no hold: there it is one
//! more reason to refuse, so contenders are held to the same answer to "does it run now?".

/// What every rule asks first.
pub const TOOL: &str = "execute_code";

/// The calls that are drawn for one policy.
const CALLS: usize = 1_000;

/// One rule; its number names what it is about.
pub enum Rule {
    /// Denies paths below `/srv/N/`.
    Deny(usize),
    /// Holds projects that begin with `secret-N` for `team-N` and `lead-N`.
    Hold(usize),
    /// Allows `project-N`.
    Allow(usize),
}

/// One call.
pub struct Call {
    /// Who asks.
    pub principal: String,
    /// `arguments.project`
    pub project: String,
    /// `arguments.path`
    pub path: String,
}

/// So many rules.
pub fn rules(count: usize) -> Vec<Rule> {
    let rule = |number: usize| match number % 10 {
        0 => Rule::Deny(number),
        1..4 => Rule::Hold(number),
        _ => Rule::Allow(number),
    };
    (0..count).map(rule).collect()
}

/// Calls over all of the rules: eight in ten are allowed, one meets a deny, one a hold. So the
/// median is that of allowed calls, and the slowest are among the others, which make a message.
pub fn calls(count: usize) -> Vec<Call> {
    let call = |n: usize| {
        let id = n * 7 % count;
        let allowed = id / 10 * 10 + 4 + n % 6;
        let (principal, project, path) = match n % 10 {
            3 => (
                "ann".to_owned(),
                format!("project-{allowed}"),
                format!("/srv/{}/a", id / 10 * 10),
            ),
            7 => {
                let held = id / 10 * 10 + 1;
                (
                    format!("team-{held}"),
                    format!("secret-{held}"),
                    format!("/home/{id}/a"),
                )
            }
            _ => (
                "ann".to_owned(),
                format!("project-{allowed}"),
                format!("/home/{id}/a"),
            ),
        };
        Call {
            principal,
            project,
            path,
        }
    };
    (0..CALLS).map(call).collect()
}
