//! Names with a meaning: builtins, system directories, and variables that steer other programs.

use super::facts::Influence;

/// Builtins of bash 5.2.
const BUILTINS: &[&str] = &[
    ".",
    ":",
    "[",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "cd",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "declare",
    "dirs",
    "disown",
    "echo",
    "enable",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "getopts",
    "hash",
    "help",
    "history",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "wait",
];

/// Directories whose programs are known by their last name.
const SYSTEM_DIRECTORIES: &[&str] = &[
    "/bin",
    "/sbin",
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
];

/// Variables by which code is found, loaded or run.
const STEERING: &[&str] = &[
    "BASHOPTS",
    "BASH_ENV",
    "BASH_LOADABLES_PATH",
    "BROWSER",
    "CDPATH",
    "CLASSPATH",
    "EDITOR",
    "ENV",
    "EXECIGNORE",
    "FCEDIT",
    "FIGNORE",
    "GCONV_PATH",
    "GLOBIGNORE",
    "HISTFILE",
    "HOME",
    "HOSTALIASES",
    "IFS",
    "INPUTRC",
    "JAVA_TOOL_OPTIONS",
    "LOCPATH",
    "MAKEFLAGS",
    "MANOPT",
    "MANPAGER",
    "MANPATH",
    "MAILPATH",
    "MAIL",
    "NLSPATH",
    "NODE_OPTIONS",
    "NODE_PATH",
    "OPENSSL_CONF",
    "PAGER",
    "PATH",
    "POSIXLY_CORRECT",
    "PROMPT_COMMAND",
    "PS0",
    "PS1",
    "PS2",
    "PS4",
    "RIPGREP_CONFIG_PATH",
    "RSYNC_RSH",
    "SHELL",
    "SHELLOPTS",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    "SUDO_EDITOR",
    "SYSTEMD_EDITOR",
    "SYSTEMD_PAGER",
    "TAR_OPTIONS",
    "TERMCAP",
    "TERMINFO",
    "TMPDIR",
    "VIMINIT",
    "VISUAL",
    "WGETRC",
    "CURL_HOME",
    "XDG_CONFIG_HOME",
    "GREP_OPTIONS",
    "GOFLAGS",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "CC",
    "CXX",
    "LD",
    "AWKPATH",
    "AWKLIBPATH",
    "EXINIT",
    "BAT_PAGER",
    "DELTA_PAGER",
    "PSQLRC",
    "PSQL_EDITOR",
    "PSQL_PAGER",
    "ZDOTDIR",
    "KUBECONFIG",
    "KUBE_EDITOR",
    "DOCKER_HOST",
    "DOCKER_CONFIG",
    "BASH_COMPAT",
    "SCREENRC",
    "JQ_LIBRARY_PATH",
    "LUA_INIT",
    "LUA_PATH",
    "LUA_CPATH",
    "R_PROFILE",
    "R_ENVIRON",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "JULIA_LOAD_PATH",
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "all_proxy",
    "https_proxy",
    "http_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
];

/// Beginnings of such names.
const STEERING_PREFIXES: &[&str] = &[
    "BASH_FUNC_",
    "CARGO_",
    "DYLD_",
    "GIT_",
    "LD_",
    "LESS",
    "LUA_INIT_",
    "NPM_CONFIG_",
    "PERL",
    "PIP_",
    "PYTHON",
    "RUBY",
    "npm_config_",
];

/// Variables whose value bash or a program runs as a command.
const CODE: &[&str] = &[
    "PROMPT_COMMAND",
    "PAGER",
    "MANPAGER",
    "EDITOR",
    "VISUAL",
    "BROWSER",
    "GIT_SSH_COMMAND",
    "GIT_PAGER",
    "GIT_EDITOR",
    "GIT_EXTERNAL_DIFF",
    "GIT_SEQUENCE_EDITOR",
    "GIT_ASKPASS",
    "GIT_PROXY_COMMAND",
    "GIT_SSH",
    "RSYNC_RSH",
    "SUDO_EDITOR",
    "FCEDIT",
    "PS0",
    "PS1",
    "PS2",
    "PS4",
    "BASH_ENV",
    "ENV",
];

/// What an assignment to the variable may change.
pub(super) fn influence(name: &str) -> Influence {
    let steers = STEERING.contains(&name)
        || STEERING_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix));
    if steers {
        Influence::Code
    } else {
        Influence::Data
    }
}

/// Whether the variable's value is itself a command.
pub(super) fn holds_code(name: &str) -> bool {
    CODE.contains(&name)
}

pub(super) fn is_builtin(name: &str) -> bool {
    BUILTINS.binary_search(&name).is_ok()
}

/// A command's name, looked at as a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolved<'a> {
    /// The name by which the program is known.
    pub(super) name: &'a str,
    /// The last part of the path, whatever the directory.
    pub(super) base: &'a str,
    /// Whether the path leads out of the system directories.
    pub(super) local: bool,
}

/// Reads a command's name as bash does: with a slash it is a path.
pub(super) fn resolve(text: &str) -> Resolved<'_> {
    let Some((_, base)) = text.rsplit_once('/') else {
        return Resolved {
            name: text,
            base: text,
            local: false,
        };
    };
    let directory = normal_directory(text);
    let local = !SYSTEM_DIRECTORIES.contains(&directory.as_str());
    Resolved {
        name: if local { text } else { base },
        base,
        local,
    }
}

/// The directory of an absolute path without `.`, `..` and detours through `/proc/…/root`;
/// empty for a relative one.
fn normal_directory(text: &str) -> String {
    let Some((directory, _)) = text.rsplit_once('/') else {
        return String::new();
    };
    if !text.starts_with('/') {
        return String::new();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
        if let ["proc", _, "root"] = parts.as_slice() {
            parts.clear();
        }
    }
    parts.iter().flat_map(|part| ["/", part]).collect()
}

/// A path joined to a directory, `.` and `..` taken as text.
pub(super) fn join(base: &str, path: &str) -> String {
    if path.starts_with('/') || path.starts_with('~') {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts
                .last()
                .is_some_and(|last| *last != ".." && *last != "~") =>
            {
                parts.pop();
            }
            // Above the root there is only the root.
            ".." if base.starts_with('/') => {}
            name => parts.push(name),
        }
    }
    let joined = parts.join("/");
    if base.starts_with('/') {
        format!("/{joined}")
    } else {
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtins_are_sorted() {
        assert!(BUILTINS.is_sorted());
    }

    #[test]
    fn paths_lead_to_names() {
        for (path, name) in [
            ("/bin/rm", "rm"),
            ("/usr/bin/../../bin/./rm", "rm"),
            ("/proc/1/root/bin/rm", "rm"),
            ("/proc/self/root/usr/bin/rm", "rm"),
            ("./rm", "./rm"),
            ("/tmp/rm", "/tmp/rm"),
        ] {
            assert_eq!(resolve(path).name, name);
        }
    }

    #[test]
    fn directories_join() {
        assert_eq!(join("", "a"), "a");
        assert_eq!(join("a", ".."), "");
        assert_eq!(join("", "../b"), "../b");
        assert_eq!(join("/a", "../../b"), "/b");
        assert_eq!(join("a", "/b"), "/b");
    }
}
